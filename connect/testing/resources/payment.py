"""Payments (`py_`): charges by which a transfer arrives on a connected account, and what all charges begin as."""

from connect.testing.call import Call
from connect.testing.resources.application_fee import Taken
from connect.testing.resources.balance_transaction import Fee, Movement, book
from connect.testing.store import StripeObject

NOTHING = (
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "calculated_statement_descriptor",
    "customer",
    "description",
    "failure_balance_transaction",
    "failure_code",
    "failure_message",
    "on_behalf_of",
    "outcome",
    "payment_intent",
    "payment_method",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)


def arrive(call: Call, sent: StripeObject, fee: Taken | None, available_on: int) -> StripeObject:
    """The `py_` charge by which a transfer arrives. `call` is in the destination's account."""
    id_ = sent["destination_payment"]
    fees = (
        (Fee(fee.amount, "application_fee", call.world.application, "Application fee"),)
        if fee
        else ()
    )
    booked = book(
        call, Movement("payment", sent["amount"], sent["currency"], id_, fees, available_on)
    )
    obj: StripeObject = {
        "id": id_,
        **blank(call),
        "amount": sent["amount"],
        "amount_captured": sent["amount"],
        "application_fee": fee.id if fee else None,
        "application_fee_amount": fee.amount if fee else None,
        "balance_transaction": booked["id"],
        "captured": True,
        "currency": sent["currency"],
        "paid": True,
        "payment_method_details": {"stripe_account": {}, "type": "stripe_account"},
        "source_transfer": sent["id"],
        "status": "succeeded",
        "transfer_group": sent["transfer_group"],
    }
    return call.insert(obj, "payment.created")


def blank(call: Call) -> StripeObject:
    """What every new charge has."""
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "object": "charge",
        **dict.fromkeys(NOTHING),
        "amount_refunded": 0,
        "application": call.world.application if call.account else None,
        "billing_details": {
            "address": address,
            **dict.fromkeys(("email", "name", "phone", "tax_id")),
        },
        "created": call.now,
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": {},
        "refunded": False,
    }
