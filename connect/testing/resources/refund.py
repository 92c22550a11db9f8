"""Refunds. The transfer and the application fee stay where they are unless the refund says otherwise."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import transfer_reversal
from connect.testing.resources.balance_transaction import Fee, Movement, book
from connect.testing.resources.payment_refund import build, mark, share
from connect.testing.resources.transfer import positive
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

refund = Noun("refund", "/v1/refunds", "Refund")


@refund.create
def create(call: Call) -> StripeObject:
    charge = target(call)
    params = call.params
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = refundable(charge, params.get("amount", left))
    id_ = call.new_id("re")
    links = undo_transfer(call, charge, amount, id_) if params.get("reverse_transfer") else {}
    fee_amount = 0
    if params.get("refund_application_fee"):
        if charge["application_fee"] is None:
            raise errors.Refused(
                400,
                f"Charge {charge['id']} has no application fee to refund.",
                param="refund_application_fee",
            )
        if (
            call.account
        ):  # a destination charge's fee came back with the reversal, from where it had been taken
            fee_amount = transfer_reversal.refund_fee(call.on(""), charge, amount)
        elif not params.get("reverse_transfer"):
            message = "`refund_application_fee` on a destination charge needs `reverse_transfer`."
            raise errors.Refused(400, message, param="refund_application_fee")
    fees = (Fee(-fee_amount, "application_fee", call.world.application),) if fee_amount else ()
    booked = book(call, Movement("refund", -amount, charge["currency"], id_, fees))
    given = {"metadata": call.metadata(), "reason": params.get("reason")}
    obj = build(
        call, charge, id_, {"amount": amount, "balance_transaction": booked["id"], **given, **links}
    )
    call.insert(obj, "refund.created")
    mark(call, charge, amount)
    return obj


def target(call: Call) -> StripeObject:
    """The charge to refund. Raises Refused where there is none, or one that was charged back."""
    params = call.params
    if "charge" in params:
        charge = call.get("charge", params["charge"], param="charge")
    elif "payment_intent" in params:
        intent = call.get("payment_intent", params["payment_intent"], param="payment_intent")
        charge = call.find("charge", intent["latest_charge"] or "") or {"status": "failed"}
        if charge["status"] != "succeeded":
            message = (
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            )
            raise errors.Refused(400, message, param="payment_intent")
    else:
        raise errors.Refused(
            400,
            "One of the following params should be provided for this request: payment_intent or charge.",
        )
    if charge["source_transfer"]:
        message = f"Charge {charge['id']} came by a transfer; the platform returns it by reversing that transfer."
        raise errors.Refused(400, message, param="charge")
    if charge["disputed"]:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise errors.Refused(400, message, code="charge_disputed", param="charge")
    return charge


def refundable(charge: StripeObject, amount: int) -> int:
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["refunded"]:
        message = f"Charge {charge['id']} has already been refunded."
        raise errors.Refused(400, message, code="charge_already_refunded", param="charge")
    if not charge["captured"]:
        raise errors.Refused(
            400, f"Charge {charge['id']} is not captured; cancel its PaymentIntent instead."
        )
    if positive(amount) > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})."
        raise errors.Refused(400, message, param="amount")
    return amount


def undo_transfer(call: Call, charge: StripeObject, amount: int, refund_id: str) -> StripeObject:
    """Reverse the charge's transfer in proportion. Returns the refund's link to the reversal."""
    if not charge.get("transfer"):
        message = f"Charge {charge['id']} has no transfer to reverse."
        raise errors.Refused(400, message, param="reverse_transfer")
    sent = call.get("transfer", charge["transfer"])
    left = sent["amount"] - sent["amount_reversed"]
    part = min(left, share(sent["amount"], charge, amount))
    with_fee = bool(call.params.get("refund_application_fee"))
    made = transfer_reversal.reverse(
        call, sent, transfer_reversal.Reversing(part, with_fee, refund_id)
    )
    return {"transfer_reversal": made["id"]}


def of_uncaptured(call: Call, charge: StripeObject) -> StripeObject:
    """What cancelling before capture leaves: a refund that moves no money."""
    obj = build(call, charge, call.new_id("re"), {"amount": charge["amount"]})
    call.insert(obj, "refund.created")
    changes = {"amount_refunded": charge["amount"], "refunded": True}
    return call.change(charge, changes, "charge.refunded", previous=True)


@refund.update_with
def update(call: Call) -> StripeObject:
    """Tells of the change under the newer and the older name of the event."""
    obj = call.get("refund", call.path["id"])
    return call.change(
        obj, {"metadata": call.metadata(obj)}, "refund.updated", "charge.refund.updated"
    )


refund.retrieve()
refund.list("charge", "payment_intent")
