"""Paying an invoice: a real PaymentIntent with its charge, and the InvoicePayment that ties the two together."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import payment_intent, payment_method
from connect.testing.routing import Noun, job
from connect.testing.store import StripeObject

invoice_payment = Noun("invoice_payment", "/v1/invoice_payments", "InvoicePayment")
DAY_SECONDS = 24 * 3600
NO_METHOD = (
    "There is no `default_payment_method` set on this Customer or Invoice. Please set a "
    "`default_payment_method` before attempting payment."
)


def attempt(call: Call, invoice: StripeObject) -> StripeObject:
    """Charge the customer. Raises Refused (402) for what the card refuses: the invoice stays open, its traces too."""
    method = method_for(call, invoice)
    if method is None:
        raise errors.Refused(400, NO_METHOD, code="resource_missing")
    intent = open_intent(call, invoice)
    try:
        passed = call.params.get("authenticated")
        paid = payment_intent.confirm(
            call.with_params(payment_method=method, authenticated=passed), intent
        )
    except errors.Refused as refused:
        if refused.commit:
            failed(call, invoice, "payment_failed")
        raise
    if paid["status"] == "requires_action":
        failed(call, invoice, "payment_action_required")
        message = (
            "This payment requires additional user action before it can be completed successfully."
        )
        raise errors.Refused(
            402,
            message,
            type="card_error",
            code="invoice_payment_intent_requires_action",
            commit=True,
        )
    if paid["status"] == "succeeded":
        return settle(call, invoice)
    return call.change(invoice, {"attempted": True}, "invoice.updated")


def method_for(call: Call, invoice: StripeObject) -> str | None:
    """The request's, the invoice's, or the customer's payment method; a card from before there were any serves too."""
    customer = call.get("customer", invoice["customer"])
    named = call.params.get("payment_method") or invoice["default_payment_method"]
    named = named or customer["invoice_settings"]["default_payment_method"]
    if named:
        return str(payment_method.use(call, named)["id"])
    card = call.find("card", call.params.get("source") or customer["default_source"] or "")
    if card is None:
        return None
    made = payment_method.build(call, payment_method.BY_LAST4[card["last4"]])
    return str(call.insert({**made, "metadata": {}, "customer": customer["id"]})["id"])


def open_intent(call: Call, invoice: StripeObject) -> StripeObject:
    """The invoice's PaymentIntent: the one of an earlier attempt, or a new one."""
    former = of_invoice(call, invoice)
    if former is not None:
        return call.get("payment_intent", former["payment"]["payment_intent"])
    names = ("application_fee_amount", "currency", "customer", "description", "on_behalf_of")
    params = {name: invoice[name] for name in names} | {"amount": invoice["amount_remaining"]}
    data = invoice["transfer_data"]
    if data:
        params["transfer_data"] = {k: v for k, v in data.items() if v is not None}
    intent = payment_intent.create(
        call.with_params(**{k: v for k, v in params.items() if v is not None})
    )
    call.insert(
        {
            "id": call.new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_remaining"],
            "created": call.now,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": True,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )
    return intent


def of_invoice(call: Call, invoice: StripeObject) -> StripeObject | None:
    rows = call.newest_first("invoice_payment")
    return next((row for row in rows if row["invoice"] == invoice["id"]), None)


def failed(call: Call, invoice: StripeObject, what: str) -> None:
    changes = {"attempt_count": invoice["attempt_count"] + 1, "attempted": True}
    if invoice["auto_advance"]:
        changes["next_payment_attempt"] = call.now + 3 * DAY_SECONDS
    call.change(invoice, changes, f"invoice.{what}")


def settle(call: Call, invoice: StripeObject, *, off_stripe: bool = False) -> StripeObject:
    """The invoice is paid: by its PaymentIntent, by a balance, or elsewhere."""
    due = invoice["amount_remaining"]
    changes = {
        "amount_paid": due,
        "amount_paid_off_stripe": due if off_stripe else 0,
        "amount_remaining": 0,
        "attempted": True,
        "next_payment_attempt": None,
        "status": "paid",
        "status_transitions": {**invoice["status_transitions"], "paid_at": call.now},
    }
    made = of_invoice(call, invoice)
    if made is not None and not off_stripe:
        changes["attempt_count"] = invoice["attempt_count"] + 1
        paid = {"amount_paid": due, "status": "paid"}
        paid["status_transitions"] = {**made["status_transitions"], "paid_at": call.now}
        call.change(made, paid, "invoice_payment.paid")
    invoice = call.change(invoice, changes, "invoice.paid", "invoice.payment_succeeded")
    if subscription_of(invoice):
        call.later(call.now, "subscription.paid", subscription_of(invoice))
    return invoice


def subscription_of(invoice: StripeObject) -> str:
    """The subscription that the invoice is for, if it is for one."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return str(details.get("subscription") or "")


@job("invoice.settle", "payment_intent")
def settle_later(call: Call, intent: StripeObject) -> None:
    """A payment that took its time, or its buyer's, has succeeded: so is its invoice paid."""
    for made in call.newest_first("invoice_payment"):
        if made["payment"]["payment_intent"] == intent["id"]:
            invoice = call.get("invoice", made["invoice"])
            if intent["status"] == "succeeded" and invoice["status"] in {"open", "uncollectible"}:
                settle(call, invoice)
            return


invoice_payment.retrieve()
invoice_payment.list("invoice", "status")
