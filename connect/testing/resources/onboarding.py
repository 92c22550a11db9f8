"""What completing the hosted onboarding does to an account, or leaving something of it undone."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import external_account, person
from connect.testing.resources.account_change import change, find
from connect.testing.resources.account_settings import default_currency
from connect.testing.resources.bank_account import NUMBER_PAID
from connect.testing.resources.requirement import FIELDS_MAX, requirements
from connect.testing.store import StripeObject

DEADLINE_SECONDS = 14 * 24 * 3600
# How requirements that are left may stand, and what that makes of the account.
STANDS = {
    "past_due": "overdue: the account is restricted",
    "currently_due": "due within 14 days: the account is restricted soon",
    "pending_verification": "being checked by Stripe: capabilities are pending for a day",
    "eventually_due": "asked for later: the account is enabled",
    "failed": "refused by Stripe's check, with an error, and overdue",
    "future": "in force from a later date: the account is enabled",
}


@dataclass(frozen=True)
class Person:
    first_name: str = "Jenny"
    last_name: str = "Rosen"
    email: str | None = None
    dob: tuple[int, int, int] = (1, 1, 1901)

    def given(self) -> dict[str, Any]:
        day, month, year = self.dob
        return {
            "dob": {"day": day, "month": month, "year": year},
            "email": self.email,
            "first_name": self.first_name,
            "id_number": "000000000",
            "last_name": self.last_name,
            "relationship": {"owner": True, "representative": True, "title": "Owner"},
            "ssn_last_4": "0000",
        }


@dataclass(frozen=True)
class Answers:
    """What is entered on the page. `leave_due` names requirements that stay, `stand` how they do."""

    business_type: str | None = None
    business_name: str = "Rocket Rides"
    url: str = "https://rocketrides.example"
    mcc: str = "5999"
    bank_account: str = NUMBER_PAID
    person: Person = Person()
    leave_due: tuple[str, ...] = ()
    stand: str = "past_due"


def complete_onboarding(
    call: Call,
    id_: str,
    *,
    leave_due: Collection[str] = (),
    stand: str = "past_due",
    answers: Mapping[str, Any] | None = None,
) -> StripeObject:
    """Everything submitted, a person and a bank account added, capabilities active.

    `leave_due` names requirements that are left, `stand` (of `STANDS`) says how, by default so that the account comes
    out restricted. `answers` are fields of `Answers`.
    """
    given = {**(answers or {}), "leave_due": tuple(leave_due), "stand": stand}
    try:
        return submit(call, find(call, id_), Answers(**given))
    except TypeError as error:
        raise errors.Refused(400, f"Unknown answers: {error}") from error


def submit(call: Call, account: StripeObject, answers: Answers) -> StripeObject:
    if answers.stand not in STANDS:
        raise errors.invalid_choice("stand", list(STANDS))
    own = call.on(account["id"])
    left = answers.leave_due[:FIELDS_MAX]
    if next(own.newest_first("person"), None) is None and "person" not in left:
        person.add(call, account, answers.person.given())
    has_bank = any(row.get("status") != "errored" for row in external_account.every(own))
    if not has_bank and "external_account" not in left:
        bank = {
            "account_number": answers.bank_account,
            "country": account["country"],
            "currency": account["default_currency"] or default_currency(account["country"]),
            "routing_number": "110000000",
        }
        external_account.add(call.with_params(), account, bank, replacing=True)
    account = find(call, account["id"])
    hash_, future = outstanding(call, left, answers.stand)
    profile = {
        "mcc": account["business_profile"]["mcc"] or answers.mcc,
        "name": account["business_profile"]["name"] or answers.business_name,
        "url": account["business_profile"]["url"] or answers.url,
    }
    for name in profile.keys() & {path.removeprefix("business_profile.") for path in left}:
        profile[name] = account["business_profile"][name]
    capabilities = account["capabilities"] or {
        "card_payments": "inactive",
        "transfers": "inactive",
    }
    changes = {
        "business_profile": {**account["business_profile"], **profile},
        "business_type": answers.business_type or account["business_type"] or "individual",
        "capabilities": capabilities,
        "details_submitted": True,
        "future_requirements": future,
        "requirements": hash_,
        "tos_acceptance": {"date": call.now, "ip": "127.0.0.1", "user_agent": None},
    }
    return change(call, account, changes)


def outstanding(call: Call, left: tuple[str, ...], stand: str) -> tuple[StripeObject, StripeObject]:
    """`requirements` and `future_requirements` with these left in this way."""
    deadline = call.now + DEADLINE_SECONDS
    nothing = requirements()
    if not left or stand == "past_due":
        return requirements(left), nothing
    if stand == "currently_due":
        return requirements(left, deadline=deadline), nothing
    if stand == "pending_verification":
        return requirements(pending_verification=list(left)), nothing
    if stand == "eventually_due":
        return requirements(eventually=left), nothing
    if stand == "future":
        return nothing, requirements(left, deadline=deadline)
    reason = "The document could not be read. Provide another one."
    refused = [
        {"code": "verification_document_not_readable", "reason": reason, "requirement": path}
        for path in left
    ]
    return requirements(left, errors=refused), nothing
