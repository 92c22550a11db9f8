"""Debit cards as external accounts of connected accounts: `card` objects that payouts go to."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.store import StripeObject

# Number → brand; payouts to the last one fail.
NUMBERS = {
    "4000056655665556": "Visa",
    "5200828282828210": "MasterCard",
    "4000056755665555": "Visa",
    "4000056755665572": "Visa",
}
TOKENS = {
    "tok_visa_debit": "4000056655665556",
    "tok_mastercard_debit": "5200828282828210",
    "tok_visa_debit_us_transferSuccess": "4000056755665555",
    "tok_visa_debit_us_transferFail": "4000056755665572",
}
FAILURES = {
    "5572": ("could_not_process", "The bank could not process this payout.", "transferFail"),
}
ADDRESS = (
    "address_city",
    "address_country",
    "address_line1",
    "address_line2",
    "address_state",
    "address_zip",
)


def described(call: Call, account: StripeObject, given: dict[str, Any]) -> StripeObject:
    """From a request's hash or a test token. Raises Refused for what is no debit card known here."""
    number = str(given.get("number") or TOKENS.get(str(given.get("token")), "")).replace(" ", "")
    if number not in NUMBERS:
        message = (
            "The card provided as an external account is not supported for payouts. Provide a non-prepaid debit "
            "card instead."
        )
        raise errors.Refused(400, message, code="invalid_card_type", param="external_account")
    nothing = (*ADDRESS, "address_line1_check", "address_zip_check", "customer", "dynamic_last4")
    obj: StripeObject = {
        "id": call.new_id("card"),
        "object": "card",
        **dict.fromkeys(nothing),
        "account": account["id"],
        "available_payout_methods": ["standard", "instant"],
        "brand": NUMBERS[number],
        "country": "US",
        "currency": str(given.get("currency") or account["default_currency"]).lower(),
        "cvc_check": None,
        "default_for_currency": True,
        "exp_month": given.get("exp_month", 12),
        "exp_year": given.get("exp_year", 2034),
        "fingerprint": call.world.ids.characters(16),
        "funding": "debit",
        "last4": number[-4:],
        "metadata": {},
        "name": None,
        "regulated_status": None,
        "tokenization_method": None,
    }
    return obj | {name: given[name] for name in (*ADDRESS, "name") if name in given}
