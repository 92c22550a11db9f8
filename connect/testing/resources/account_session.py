"""Account sessions: the client secret for embedded components, and which of them it opens."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.parameters import compiled
from connect.testing.resources.account_change import find, platform_of
from connect.testing.routing import route
from connect.testing.store import StripeObject

VALID_SECONDS = 3600
# Features that are off unless asked for; Stripe's other features are on.
OFF = frozenset({"destination_on_behalf_of_charge_management"})
# On only where Stripe bears the losses.
WHERE_STRIPE_IS_LIABLE = frozenset({"edit_payout_schedule", "standard_payouts"})


@route("POST", "/v1/account_sessions", "AccountSessionCreateParams")
def create(call: Call) -> StripeObject:
    id_ = call.params["account"]
    if platform_of(call, id_).find("account", id_) is None:
        raise errors.resource_missing("account", id_, param="account", in_path=False)
    account = find(call, id_)
    return {
        "object": "account_session",
        "account": id_,
        "client_secret": f"accs_secret__{call.world.ids.characters(47)}",
        "components": components(account, call.params["components"]),
        "expires_at": call.now + VALID_SECONDS,
        "livemode": False,
    }


def components(account: StripeObject, given: dict[str, Any]) -> StripeObject:
    """Every component, with the features that were asked for or are Stripe's default."""
    spec = (compiled("AccountSessionCreateParams").fields or {})["components"]
    shown: StripeObject = {}
    for name, field in (spec.fields or {}).items():
        asked = given.get(name) or {}
        known = (field.fields or {}).get("features")
        features = {
            feature: default(account, feature) for feature in (known and known.fields) or {}
        }
        features |= asked.get("features") or {}
        shown[name] = {"enabled": bool(asked.get("enabled")), "features": features}
    return shown


def default(account: StripeObject, feature: str) -> bool:
    controller = account["controller"]
    if feature == "disable_stripe_user_authentication":
        return bool(controller.get("requirement_collection") == "application")
    if feature in WHERE_STRIPE_IS_LIABLE:
        return bool((controller.get("losses") or {}).get("payments") == "stripe")
    return feature not in OFF
