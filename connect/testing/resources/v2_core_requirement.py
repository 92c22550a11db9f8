"""Requirements and capability statuses as v2 says them: entries, each with what it holds up and by when."""

from connect.testing import thin
from connect.testing.resources.requirement import PAYOUTS_ONLY, REJECTED
from connect.testing.store import StripeObject

# v1's field path → v2's.
DESCRIPTIONS = {
    "business_profile.mcc": "configuration.merchant.mcc",
    "business_profile.name": "defaults.profile.doing_business_as",
    "business_profile.product_description": "defaults.profile.product_description",
    "business_profile.url": "defaults.profile.business_url",
    "business_type": "identity.entity_type",
    "company.name": "identity.business_details.registered_name",
    "individual.first_name": "identity.individual.given_name",
    "individual.last_name": "identity.individual.surname",
    "individual.verification.document": "identity.individual.documents.primary_verification",
    "tos_acceptance.date": "identity.attestations.terms_of_service.account.date",
    "tos_acceptance.ip": "identity.attestations.terms_of_service.account.ip",
}
DEADLINES = ("past_due", "currently_due", "eventually_due")


def requirements(account: StripeObject, hash_: StripeObject) -> StripeObject:
    paths = dict.fromkeys(
        path
        for name in ("past_due", "currently_due", "pending_verification", "eventually_due")
        for path in hash_[name]
    )
    entries = [entry(account, hash_, path) for path in paths]
    return {"alternatives": [], "entries": entries, "summary": summary(hash_, entries)}


def entry(account: StripeObject, hash_: StripeObject, path: str) -> StripeObject:
    status = next((name for name in DEADLINES if path in hash_[name]), "currently_due")
    is_person = path.startswith("person_")
    return {
        "awaiting_action_from": "stripe" if path in hash_["pending_verification"] else "user",
        "description": described(path),
        "errors": [
            {"code": error["code"], "description": error["reason"]}
            for error in hash_["errors"]
            if error["requirement"] == path
        ],
        "impact": {"restricts_capabilities": restricted(account, path, status)},
        "minimum_deadline": {"status": status},
        "reference": {"inquiry": None, "resource": path.partition(".")[0], "type": "person"}
        if is_person
        else None,
        "requested_reasons": [{"code": "routine_onboarding"}],
    }


def described(path: str) -> str:
    if path in DESCRIPTIONS:
        return DESCRIPTIONS[path]
    if path.startswith("individual."):
        return f"identity.{path}".replace(".dob.", ".date_of_birth.")
    return path


def restricted(account: StripeObject, path: str, status: str) -> list[StripeObject]:
    names = account["capabilities"].keys() - {"transfers"}
    capabilities = [("merchant", name) for name in sorted(names)]
    if "transfers" in account["capabilities"]:
        capabilities.append(("recipient", "stripe_balance.stripe_transfers"))
    if path in PAYOUTS_ONLY:
        capabilities = []
    payouts = ("merchant" if names else "recipient", "stripe_balance.payouts")
    return [
        {"capability": name, "configuration": configuration, "deadline": {"status": status}}
        for configuration, name in [*capabilities, payouts]
    ]


def summary(hash_: StripeObject, entries: list[StripeObject]) -> StripeObject:
    """The nearest deadline of all; null when nothing is asked for."""
    found = {entry["minimum_deadline"]["status"] for entry in entries}
    status = next((name for name in DEADLINES if name in found), None)
    if status is None:
        return {"minimum_deadline": None}
    deadline = hash_["current_deadline"]
    return {
        "minimum_deadline": {"status": status, "time": thin.iso(deadline) if deadline else None}
    }


def capability(account: StripeObject, status: str) -> StripeObject:
    """v2 calls inactive restricted, and says why and what to do."""
    reason = account["requirements"]["disabled_reason"] or ""
    if reason.startswith(REJECTED):
        code = f"rejected_{reason.removeprefix(REJECTED)}"
        return {
            "status": "rejected",
            "status_details": [{"code": code, "resolution": "contact_stripe"}],
        }
    if status == "active":
        return {"status": "active", "status_details": []}
    if status == "pending":
        detail = {"code": "requirements_pending_verification", "resolution": "no_resolution"}
        return {"status": "pending", "status_details": [detail]}
    detail = {"code": "requirements_past_due", "resolution": "provide_info"}
    return {"status": "restricted", "status_details": [detail]}
