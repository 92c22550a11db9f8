"""What an account still has to provide, and what follows: its capabilities, and whether it may charge and pay out."""

from collections.abc import Collection
from typing import Any

from connect.testing.store import StripeObject

GENERAL = (
    "business_profile.mcc",
    "business_profile.url",
    "business_type",
    "external_account",
    "tos_acceptance.date",
    "tos_acceptance.ip",
)
PERSON = ("dob.day", "dob.month", "dob.year", "first_name", "last_name")
# Missing these stops payouts only; money still comes in.
PAYOUTS_ONLY = frozenset({"external_account"})
LISTS = ("currently_due", "eventually_due", "past_due", "pending_verification")
REJECTED = "rejected."
FIELDS_MAX = 50


def requirements(
    due: Collection[str] = (),
    *,
    past: bool = True,
    deadline: int | None = None,
    eventually: Collection[str] = (),
    **fields: Any,
) -> StripeObject:
    """The hash as Stripe shows it. What is due is past due too, unless there is a deadline or `past` says no."""
    own: StripeObject = {
        "alternatives": [],
        "current_deadline": deadline,
        "currently_due": list(due),
        "disabled_reason": None,
        "errors": [],
        "eventually_due": list(dict.fromkeys([*due, *eventually])),
        "past_due": list(due) if past and deadline is None else [],
        "pending_verification": [],
    }
    return explained(own | fields)


def without_deadline(hash_: StripeObject) -> StripeObject:
    """As a person shows it: one has no deadline and is not disabled."""
    absent = {"current_deadline", "disabled_reason"}
    return {name: value for name, value in hash_.items() if name not in absent}


def explained(hash_: StripeObject) -> StripeObject:
    """With the `disabled_reason` that follows from the lists. A rejection stays whatever they say."""
    reason = hash_["disabled_reason"] or ""
    if reason.startswith(REJECTED):
        return hash_
    if hash_["past_due"]:
        reason = "requirements.past_due"
    else:
        reason = "requirements.pending_verification" if hash_["pending_verification"] else None
    return {**hash_, "disabled_reason": reason}


def missing(account: StripeObject) -> list[str]:
    """What the account's kind of business has to provide and did not yet.

    A company's representative is a person of its own, and `person` strikes those out.
    """
    wanted = list(GENERAL)
    if account["business_type"] == "individual":
        wanted += [f"individual.{field}" for field in PERSON]
    elif account["business_type"] is not None:
        wanted += ["company.name", *(f"representative.{field}" for field in PERSON)]
    return sorted(path for path in wanted if not provided(account, path))


def provided(account: StripeObject, path: str) -> bool:
    if path == "external_account":
        rows = (account.get("external_accounts") or {}).get("data", [])
        return any(row.get("status") != "errored" for row in rows)
    value: Any = account
    for segment in path.split("."):
        value = value.get(segment) if isinstance(value, dict) else None
    return value not in (None, "", {})


def settled(before: StripeObject | None, account: StripeObject) -> StripeObject:
    """The account after a change: requirements that it met are gone, new ones are there, and what follows from them."""
    hash_ = account["requirements"]
    if before is not None:
        met = {
            path
            for name in LISTS
            for path in hash_[name]
            if provided(account, path) and not provided(before, path)
        }
        hash_ = {**hash_, **{name: [p for p in hash_[name] if p not in met] for name in LISTS}}
        if not hash_["currently_due"]:
            hash_["current_deadline"] = None
        if account["business_type"] != before["business_type"] and not account["details_submitted"]:
            hash_ = requirements(missing(account))
    account = {**account, "requirements": explained(hash_)}
    own = account["controller"].get("requirement_collection") == "application"
    submitted = account["details_submitted"] or (own and not hash_["currently_due"])
    return account | outcome(account, submitted=submitted)


def outcome(account: StripeObject, *, submitted: bool) -> StripeObject:
    status = capability_status(account, submitted=submitted)
    may_charge = status == "active"
    return {
        "capabilities": dict.fromkeys(account["capabilities"], status),
        "charges_enabled": may_charge,
        "details_submitted": submitted,
        "payouts_enabled": may_charge and not account["requirements"]["past_due"],
    }


def capability_status(account: StripeObject, *, submitted: bool) -> str:
    hash_ = account["requirements"]
    blocking = set(hash_["past_due"]) - PAYOUTS_ONLY
    if not submitted or blocking or (hash_["disabled_reason"] or "").startswith(REJECTED):
        return "inactive"
    return "pending" if hash_["pending_verification"] else "active"


def overdue(hash_: StripeObject) -> StripeObject:
    """After the deadline: what was due is past due."""
    past = list(dict.fromkeys([*hash_["past_due"], *hash_["currently_due"]]))
    return explained({**hash_, "current_deadline": None, "past_due": past})


def verified(hash_: StripeObject) -> StripeObject:
    """After Stripe's check: nothing is pending."""
    return explained({**hash_, "pending_verification": []})
