"""Payments whose outcome comes later: the intent is `processing`, its charge `pending`, until the bank has answered."""

from connect.testing.call import Call
from connect.testing.resources import charge, sepa_debit
from connect.testing.resources.payment_method import CARDS
from connect.testing.routing import job
from connect.testing.store import StripeObject


def start(call: Call, intent: StripeObject, method: StripeObject) -> StripeObject:
    made = call.insert(charge.build(call, intent, method), "charge.pending")
    call.later(sepa_debit.settles_at(call, method), "payment.settle", made["id"])
    changes = {"latest_charge": made["id"], "next_action": None, "status": "processing"}
    return call.change(intent, changes, "payment_intent.processing")


@job("payment.settle", "charge")
def settle(call: Call, made: StripeObject) -> None:
    """The bank's answer. A Checkout Session that waits for it hears of it."""
    intent = call.get("payment_intent", made["payment_intent"])
    if intent["status"] != "processing":
        return
    declined = sepa_debit.decline(call.get("payment_method", made["payment_method"]))
    if declined is None:
        succeed(call, intent, made)
    else:
        fail(call, intent, made, declined)
    for session in call.newest_first("checkout.session"):
        if session["payment_intent"] == intent["id"]:
            call.later(call.now, "checkout.session.settle", session["id"])


def succeed(call: Call, intent: StripeObject, made: StripeObject) -> StripeObject:
    """The money is there: `made` is the intent's charge, stored already."""
    paid = {"amount_captured": made["amount"], "captured": True, "paid": True}
    paid |= {"status": "succeeded"}
    paid |= charge.settle(call, made | paid, CARDS["visa"])
    call.change(made, paid, "charge.succeeded")
    done = {"amount_received": intent["amount"], "last_payment_error": None, "next_action": None}
    done |= {"latest_charge": made["id"], "status": "succeeded"}
    tell_invoice(call, intent)
    return call.change(intent, done, "payment_intent.succeeded")


def tell_invoice(call: Call, intent: StripeObject) -> None:
    """An intent does not know of its invoice: where there are any, the invoice is looked for."""
    if next(call.newest_first("invoice_payment"), None) is not None:
        call.later(call.now, "invoice.settle", intent["id"])


def fail(
    call: Call, intent: StripeObject, made: StripeObject, declined: tuple[str, str | None, str]
) -> None:
    code, _, message = declined
    failed = {"failure_code": code, "failure_message": message, "status": "failed"}
    call.change(made, failed, "charge.failed")
    error: StripeObject = {
        "charge": made["id"],
        "code": code,
        "message": message,
        "type": "card_error",
    }
    changes: StripeObject = {"last_payment_error": error, "payment_method": None}
    changes |= {"status": "requires_payment_method"}
    call.change(intent, changes, "payment_intent.payment_failed")
