"""What paying at Checkout makes, by the session's mode: a payment, a saved card, a subscription."""

from collections.abc import Callable
from typing import Any, TypeAlias

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import payment_intent, payment_method, setup_intent, subscription
from connect.testing.store import StripeObject

# (the session, what it remembers, the payment method, the customer) → what changes on the session
Mode: TypeAlias = Callable[[Call, StripeObject, Any, str], StripeObject]


def check(call: Call, items: list[StripeObject]) -> None:
    """Raises Refused for lines that the mode does not take."""
    mode = call.params.get("mode")
    if mode not in MODES:
        message = "You must provide a mode: payment, setup or subscription."
        raise errors.Refused(400, message, code="parameter_missing", param="mode")
    recurring = [item["price"]["recurring"] is not None for item in items]
    if mode == "setup" and items:
        message = "`line_items` is not allowed in `setup` mode."
        raise errors.Refused(400, message, param="line_items")
    if mode != "setup" and not items:
        raise errors.parameter_missing("line_items")
    if mode == "subscription" and not any(recurring):
        message = "You must provide at least one recurring price in `subscription` mode when using prices."
        raise errors.Refused(400, message, param="line_items")
    if mode == "payment" and any(recurring):
        message = (
            "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or "
            "use only one-time prices."
        )
        raise errors.Refused(400, message, param="line_items")


def pay(call: Call, session: StripeObject, remembered: Any, method: str) -> StripeObject:
    if not session["amount_total"]:
        return {"payment_status": "no_payment_required"}
    params = {**remembered.data, "amount": session["amount_total"], "currency": session["currency"]}
    # A challenge of the buyer's bank is part of Checkout's own page.
    params |= {"authenticated": True, "confirm": True, "payment_method": method}
    params |= {"customer": session["customer"]}
    params["payment_method_types"] = session["payment_method_types"]
    intent = payment_intent.create(call.with_params(**params))
    status = "paid" if intent["status"] == "succeeded" else "unpaid"
    return {"payment_intent": intent["id"], "payment_status": status}


def set_up(call: Call, session: StripeObject, remembered: Any, method: str) -> StripeObject:
    params = {**remembered.data, "authenticated": True, "confirm": True, "payment_method": method}
    params |= {"customer": session["customer"]}
    made = setup_intent.create(call.with_params(**params))
    return {"payment_status": "no_payment_required", "setup_intent": made["id"]}


def subscribe(call: Call, session: StripeObject, remembered: Any, method: str) -> StripeObject:
    """The card is saved for the renewals; lines that do not recur are on the first invoice."""
    customer = call.get("customer", session["customer"])
    saved = payment_method.attach_to(call, payment_method.use(call, method), customer["id"])
    items = [item for item in remembered.items if item["price"]["recurring"]]
    once = [item for item in remembered.items if not item["price"]["recurring"]]
    params = {
        **remembered.data,
        "add_invoice_items": [{"price": i["price"]["id"], "quantity": i["quantity"]} for i in once],
        "default_payment_method": saved["id"],
        "discounts": remembered.discounts,
        "items": [{"price": item["price"]["id"], "quantity": item["quantity"]} for item in items],
        "payment_behavior": "error_if_incomplete",
    }
    try:
        made = subscription.start(call.with_params(authenticated=True), customer, params)
    except errors.Refused as refused:
        # Checkout makes no subscription before the first payment has succeeded.
        refused.commit = False
        raise
    return {
        "invoice": made["latest_invoice"],
        "payment_status": "paid" if session["amount_total"] else "no_payment_required",
        "subscription": made["id"],
    }


MODES: dict[str, Mode] = {"payment": pay, "setup": set_up, "subscription": subscribe}
