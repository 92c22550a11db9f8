"""What every refund begins as, and `pyr_`: how a transfer reversal looks from the destination's side."""

from dataclasses import dataclass
from typing import Any

from connect.testing.call import Call
from connect.testing.resources.balance_transaction import Fee, Movement, book
from connect.testing.store import StripeObject


@dataclass(frozen=True)
class Part:
    """How much of a charge comes back, and how much application fee with it, in minor units."""

    amount: int
    fee_amount: int = 0


def of_reversal(call: Call, sent: StripeObject, reversal: str, part: Part) -> StripeObject:
    """The destination's side of a reversal: its `py_` charge refunded by a `pyr_`."""
    payment = call.get("charge", sent["destination_payment"])
    id_ = call.new_id("pyr")
    fees = (
        (Fee(-part.fee_amount, "application_fee", call.world.application),)
        if part.fee_amount
        else ()
    )
    booked = book(call, Movement("payment_refund", -part.amount, payment["currency"], id_, fees))
    links = {"balance_transaction": booked["id"], "source_transfer_reversal": reversal}
    obj = build(call, payment, id_, {"amount": part.amount, **links})
    call.insert(obj, "refund.created")
    mark(call, payment, part.amount)
    return obj


def build(call: Call, charge: StripeObject, id_: str, fields: dict[str, Any]) -> StripeObject:
    card = {
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    return {
        "id": id_,
        "object": "refund",
        "balance_transaction": None,
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": {"card": card, "type": "card"} if charge["payment_method"] else None,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
        **fields,
    }


def mark(call: Call, charge: StripeObject, amount: int) -> None:
    refunded = charge["amount_refunded"] + amount
    changes = {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]}
    call.change(charge, changes, "charge.refunded", previous=True)


def share(whole: int, charge: StripeObject, amount: int) -> int:
    """The part of `whole` (a fee, a transfer) that goes with refunding `amount` more of the charge.

    Counted from the charge's first refund on, so that the rounded parts of all refunds add up to the whole.
    """
    before, of = charge["amount_refunded"], charge["amount_captured"]
    return rounded(whole * (before + amount), of) - rounded(whole * before, of)


def rounded(dividend: int, divisor: int) -> int:
    """The quotient, rounded half up."""
    return (2 * dividend + divisor) // (2 * divisor)
