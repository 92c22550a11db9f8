"""PaymentIntents: direct with an application fee, destination with `transfer_data`, or plain for transfers."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import (
    cash_balance,
    charge,
    delayed_payment,
    dispute,
    payment_method,
    refund,
)
from connect.testing.resources.payment_checks import check_amount, check_connect
from connect.testing.resources.price import currency
from connect.testing.resources.transfer import positive
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

payment_intent = Noun("payment_intent", "/v1/payment_intents", "PaymentIntent")
FIELDS = (
    "application_fee_amount",
    "description",
    "off_session",
    "on_behalf_of",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)
CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = ("requires_payment_method", "requires_capture", *CONFIRMABLE[1:], "processing")

PAID_LATER = {"customer_balance": cash_balance.ask, "sepa_debit": delayed_payment.start}


@payment_intent.create
def create(call: Call) -> StripeObject:
    intent = call.insert(build(call), "payment_intent.created")
    if call.params.get("confirm"):
        return confirm(call, intent, created=True)
    return intent


def build(call: Call) -> StripeObject:
    params = call.params
    code = currency(params["currency"])
    check_amount(params["amount"], code)
    check_connect(call, params, params["amount"])
    if params.get("customer"):
        call.get("customer", params["customer"], param="customer")
    id_ = call.new_id("pi")
    method = method_of(call)
    intent: StripeObject = {
        "id": id_,
        "object": "payment_intent",
        **{name: params.get(name) for name in FIELDS if name != "off_session"},
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": call.world.application if call.account else None,
        "automatic_payment_methods": automatic_payment_methods(params),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{id_}_secret_{call.world.ids.characters(25)}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": call.now,
        "currency": code,
        "customer": params.get("customer"),
        "customer_account": params.get("customer_account"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": None,
        "metadata": call.metadata(),
        "next_action": None,
        "payment_method": method and method["id"],
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
    }
    return intent


def automatic_payment_methods(params: dict[str, Any]) -> StripeObject | None:
    if params.get("payment_method_types"):
        return None
    given = params.get("automatic_payment_methods") or {}
    return {
        "allow_redirects": given.get("allow_redirects", "always"),
        "enabled": given.get("enabled", True),
    }


def method_of(call: Call) -> StripeObject | None:
    """The payment method that the request names or describes."""
    params = call.params
    if params.get("payment_method"):
        return payment_method.use(call, params["payment_method"])
    data = params.get("payment_method_data")
    if data:
        return call.insert(payment_method.described(call, data))
    return None


@payment_intent.update_with
def update(call: Call) -> StripeObject:
    params, intent = call.params, call.get("payment_intent", call.path["id"])
    money = {"amount", "currency", "application_fee_amount", "transfer_data"} & params.keys()
    if money and intent["status"] not in CONFIRMABLE:
        raise errors.unexpected_state(
            intent,
            f"This PaymentIntent's {sorted(money)[0]} could not be updated because it has a status of "
            f"{intent['status']}. You may only update the {sorted(money)[0]} of a PaymentIntent with one of the "
            f"following statuses: {', '.join(CONFIRMABLE)}.",
        )
    changes: dict[str, Any] = {
        name: params[name] for name in (*FIELDS, "amount", "customer") if name in params
    }
    changes.pop("off_session", None)
    if "amount" in changes:
        check_amount(changes["amount"], intent["currency"])
    check_connect(call, {**intent, **changes}, {**intent, **changes}["amount"])
    method = method_of(call)
    if method is not None:
        waiting = intent["status"] == "requires_payment_method"
        changes |= {"payment_method": method["id"]} | (
            {"status": "requires_confirmation"} if waiting else {}
        )
    if "metadata" in params:
        changes["metadata"] = call.metadata(intent)
    return call.change(intent, changes)


@payment_intent.action("confirm")
def confirm_named(call: Call) -> StripeObject:
    return confirm(call, call.get("payment_intent", call.path["id"]))


def confirm(call: Call, intent: StripeObject, *, created: bool = False) -> StripeObject:
    """Try to pay. Raises Refused (402) for a declined card, whose traces stay."""
    if intent["status"] not in CONFIRMABLE:
        message = (
            f"You cannot confirm this PaymentIntent because it has already {intent['status']}."
        )
        raise errors.unexpected_state(intent, message)
    method = None if created else method_of(call)
    if method is not None:
        intent = call.change(intent, {"payment_method": method["id"]})
    if intent["payment_method"] is None:
        message = (
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update "
            "the PaymentIntent with a payment method and then confirm it again, or confirm it again directly with "
            "a payment method or ConfirmationToken."
        )
        raise errors.unexpected_state(intent, message)
    return pay(call, intent, call.get("payment_method", intent["payment_method"]))


def pay(call: Call, intent: StripeObject, method: StripeObject) -> StripeObject:
    if method["type"] in PAID_LATER:
        return PAID_LATER[method["type"]](call, intent, method)
    card = payment_method.behaviour(method)
    if card.authentication_required and not call.params.get("authenticated"):
        return ask_to_authenticate(call, intent)
    paid = charge.attempt(call, intent, method)
    if card.decline is not None:
        raise declined(call, intent, paid, method)
    if intent["customer"] and intent["setup_future_usage"] and method["customer"] is None:
        payment_method.attach_to(call, method, intent["customer"])
    done = {"latest_charge": paid["id"], "last_payment_error": None, "next_action": None}
    if intent["capture_method"] == "manual":
        done |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        return call.change(intent, done, "payment_intent.amount_capturable_updated")
    done |= {"status": "succeeded", "amount_received": intent["amount"]}
    intent = call.change(intent, done, "payment_intent.succeeded")
    delayed_payment.tell_invoice(call, intent)
    if paid["balance_transaction"] is None:
        paid = call.change(paid, charge.settle(call, paid, card), "charge.updated")
    if card.dispute is not None:
        dispute.open_(call, paid, card)
    return intent


def ask_to_authenticate(call: Call, intent: StripeObject) -> StripeObject:
    if call.params.get("off_session"):
        changes = {"status": "requires_payment_method"}
        intent = call.change(intent, changes, "payment_intent.payment_failed")
        message = "Your card was declined. This transaction requires authentication."
        raise errors.Refused(
            402,
            message,
            type="card_error",
            code="authentication_required",
            commit=True,
            payment_intent=intent,
        )
    action: StripeObject = {
        "type": "redirect_to_url",
        "redirect_to_url": {
            "return_url": call.params.get("return_url"),
            "url": f"{call.base_url}/authenticate/{intent['client_secret']}",
        },
    }
    call.after(lambda: call.world.authentications.update({intent["client_secret"]: call.account}))
    asked: StripeObject = {"status": "requires_action", "next_action": action}
    return call.change(intent, asked, "payment_intent.requires_action")


def declined(
    call: Call, intent: StripeObject, failed: StripeObject, method: StripeObject
) -> errors.Refused:
    code, decline_code, message = payment_method.behaviour(method).decline or (
        "card_declined",
        None,
        "",
    )
    says = {
        "code": code,
        "charge": failed["id"],
        "decline_code": decline_code,
        "payment_method": method,
    }
    error = {**says, "message": message, "type": "card_error"}
    changes = {
        "last_payment_error": {name: value for name, value in error.items() if value is not None},
        "latest_charge": failed["id"],
        "payment_method": None,
        "status": "requires_payment_method",
    }
    intent = call.change(intent, changes, "payment_intent.payment_failed")
    return errors.Refused(
        402, message, type="card_error", commit=True, payment_intent=intent, **says
    )


@payment_intent.action("capture")
def capture(call: Call) -> StripeObject:
    """Less than the amount may be captured; the rest is released."""
    intent = call.get("payment_intent", call.path["id"])
    if intent["status"] != "requires_capture":
        raise errors.unexpected_state(
            intent,
            f"This PaymentIntent could not be captured because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be captured: requires_capture.",
        )
    amount = call.params.get("amount_to_capture")
    amount = positive(intent["amount_capturable"] if amount is None else amount)
    if amount > intent["amount_capturable"]:
        message = f"The amount to capture is greater than the capturable amount ({intent['amount_capturable']})."
        raise errors.Refused(400, message, param="amount_to_capture")
    overrides = capture_overrides(call, intent)
    check_connect(call, {**intent, **overrides}, amount)
    held = call.get("charge", intent["latest_charge"])
    card = payment_method.behaviour(call.get("payment_method", intent["payment_method"]))
    taken = {**held, **overrides, "amount_captured": amount, "captured": True}
    call.change(held, {**taken, **charge.settle(call, taken, card)}, "charge.captured")
    changes = {
        "amount_capturable": 0,
        "amount_received": amount,
        "status": "succeeded",
        **overrides,
    }
    return call.change(intent, changes, "payment_intent.succeeded")


def capture_overrides(call: Call, intent: StripeObject) -> StripeObject:
    """Capture may change the application fee and the transfer's amount, never its destination."""
    overrides: StripeObject = {}
    if "application_fee_amount" in call.params:
        overrides["application_fee_amount"] = call.params["application_fee_amount"]
    if call.params.get("transfer_data"):
        overrides["transfer_data"] = {
            **(intent["transfer_data"] or {}),
            **call.params["transfer_data"],
        }
    return overrides


@payment_intent.action("cancel")
def cancel(call: Call) -> StripeObject:
    intent = call.get("payment_intent", call.path["id"])
    if intent["status"] not in CANCELABLE:
        raise errors.unexpected_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be canceled: "
            f"{', '.join(CANCELABLE)}.",
        )
    if intent["status"] == "requires_capture":
        refund.of_uncaptured(call, call.get("charge", intent["latest_charge"]))
    changes = {
        "amount_capturable": 0,
        "canceled_at": call.now,
        "cancellation_reason": call.params.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    return call.change(intent, changes, "payment_intent.canceled")


payment_intent.retrieve()
payment_intent.list("customer")
