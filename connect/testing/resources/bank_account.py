"""External bank accounts of connected accounts. Their number decides what becomes of payouts, as with Stripe's."""

from typing import Any

from connect.testing.call import Call
from connect.testing.store import StripeObject

NUMBER_PAID = "000123456789"
NUMBER_FAILING = "000111111116"


def build(
    call: Call, account: StripeObject, number: str = NUMBER_PAID, **fields: Any
) -> StripeObject:
    obj: StripeObject = {
        "id": call.new_id("ba"),
        "object": "bank_account",
        "account": account["id"],
        "account_holder_name": None,
        "account_holder_type": None,
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": account["country"],
        "currency": account["default_currency"],
        "customer": None,
        "default_for_currency": True,
        "fingerprint": call.world.ids.characters(16),
        "last4": number[-4:],
        "metadata": {},
        "routing_number": "110000000",
        "status": "new",
    }
    return obj | fields


def default_for(call: Call, currency: str) -> StripeObject | None:
    return next(
        (row for row in call.newest_first("bank_account") if row["currency"] == currency), None
    )
