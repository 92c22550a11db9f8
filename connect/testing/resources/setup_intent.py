"""SetupIntents: a card saved for later, without a payment."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import payment_method
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

setup_intent = Noun("setup_intent", "/v1/setup_intents", "SetupIntent")
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
NOTHING = (
    "attach_to_self",
    "cancellation_reason",
    "customer_account",
    "excluded_payment_method_types",
    "flow_directions",
    "last_setup_error",
    "latest_attempt",
    "mandate",
    "next_action",
    "payment_method_configuration_details",
    "single_use_mandate",
)


@setup_intent.create
def create(call: Call) -> StripeObject:
    params = call.params
    if params.get("customer"):
        call.get("customer", params["customer"], param="customer")
    id_, method = call.new_id("seti"), method_of(call)
    obj: StripeObject = {
        "id": id_,
        "object": "setup_intent",
        **dict.fromkeys(NOTHING),
        **{name: params.get(name) for name in ("customer", "description", "on_behalf_of")},
        "application": call.world.application if call.account else None,
        "automatic_payment_methods": None
        if params.get("payment_method_types")
        else {"allow_redirects": "always", "enabled": True},
        "client_secret": f"{id_}_secret_{call.world.ids.characters(32)}",
        "created": call.now,
        "livemode": False,
        "metadata": call.metadata(),
        "payment_method": method and method["id"],
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }
    call.insert(obj, "setup_intent.created")
    return confirm(call, obj) if params.get("confirm") else obj


def method_of(call: Call) -> StripeObject | None:
    params = call.params
    if params.get("payment_method"):
        return payment_method.use(call, params["payment_method"])
    if params.get("payment_method_data"):
        return call.insert(payment_method.described(call, params["payment_method_data"]))
    return None


@setup_intent.action("confirm")
def confirm_named(call: Call) -> StripeObject:
    intent, method = call.get("setup_intent", call.path["id"]), method_of(call)
    if method is not None:
        intent = call.change(intent, {"payment_method": method["id"]})
    return confirm(call, intent)


def confirm(call: Call, intent: StripeObject) -> StripeObject:
    """Raises Refused (402) for a card that is declined: its traces stay."""
    if intent["status"] not in OPEN or intent["payment_method"] is None:
        says = "it's missing a payment method" if intent["status"] in OPEN else intent["status"]
        raise unexpected(intent, f"You cannot confirm this SetupIntent: {says}.")
    method = call.get("payment_method", intent["payment_method"])
    card = payment_method.behaviour(method)
    if card.decline is not None:
        raise failed(call, intent, method, card.decline)
    if card.authentication_required and not call.params.get("authenticated"):
        url = f"{call.base_url}/authenticate/{intent['client_secret']}"
        go = {"return_url": call.params.get("return_url"), "url": url}
        action = {"redirect_to_url": go, "type": "redirect_to_url"}
        changes: dict[str, Any] = {"next_action": action, "status": "requires_action"}
        return call.change(intent, changes, "setup_intent.requires_action")
    if intent["customer"] and method["customer"] is None:
        payment_method.attach_to(call, method, intent["customer"])
    done = {"last_setup_error": None, "next_action": None, "status": "succeeded"}
    return call.change(intent, done, "setup_intent.succeeded")


def failed(
    call: Call, intent: StripeObject, method: StripeObject, decline: tuple[str, str | None, str]
) -> errors.Refused:
    code, decline_code, message = decline
    says = {"code": code, "decline_code": decline_code, "payment_method": method}
    error = {**says, "message": message, "type": "card_error"}
    changes = {
        "last_setup_error": {name: value for name, value in error.items() if value is not None},
        "payment_method": None,
        "status": "requires_payment_method",
    }
    intent = call.change(intent, changes, "setup_intent.setup_failed")
    return errors.Refused(402, message, type="card_error", commit=True, setup_intent=intent, **says)


@setup_intent.action("cancel")
def cancel(call: Call) -> StripeObject:
    intent = call.get("setup_intent", call.path["id"])
    if intent["status"] not in OPEN:
        raise unexpected(intent, f"You cannot cancel this SetupIntent: it is {intent['status']}.")
    reason = call.params.get("cancellation_reason")
    changes = {"cancellation_reason": reason, "next_action": None, "status": "canceled"}
    return call.change(intent, changes, "setup_intent.canceled")


def unexpected(intent: StripeObject, message: str) -> errors.Refused:
    return errors.Refused(400, message, code="setup_intent_unexpected_state", setup_intent=intent)


def named_method(call: Call) -> StripeObject:
    method = method_of(call)
    return {"payment_method": method["id"], "status": "requires_confirmation"} if method else {}


setup_intent.retrieve()
setup_intent.list("customer", "payment_method")
setup_intent.update("customer", "description", also=named_method)
