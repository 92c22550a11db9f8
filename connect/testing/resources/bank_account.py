"""Bank accounts. Their number decides what becomes of payouts, as with Stripe's own test numbers."""

import re
from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources.account_settings import default_currency
from connect.testing.store import StripeObject

NUMBER_PAID = "000123456789"
NUMBER_FAILING = "000111111116"
# By the last four digits: (failure_code, failure_message, the name of a ready-made token).
FAILURES = {
    "1116": (
        "no_account",
        "An account with that number does not exist at that bank.",
        "noAccount",
    ),
    "1113": ("account_closed", "The bank account has been closed.", "accountClosed"),
    "2227": (
        "insufficient_funds",
        "The account has insufficient funds to cover this payout.",
        "insufficientFunds",
    ),
    "3335": (
        "debit_not_authorized",
        "Debits are not authorized on this bank account.",
        "debitNotAuthorized",
    ),
    "4440": (
        "invalid_currency",
        "The bank could not process the payout: its currency is not that of the account.",
        "invalidCurrency",
    ),
}
NUMBERS = {"1113": "000111111113", "1116": NUMBER_FAILING, "2227": "000222222227"} | {
    "3335": "000333333335",
    "4440": "000444444440",
}
TOKENS = {"btok_us": NUMBER_PAID, "btok_us_verified": NUMBER_PAID} | {
    f"btok_us_verified_{name}": NUMBERS[last4] for last4, (_, _, name) in FAILURES.items()
}


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


def described(call: Call, account: StripeObject, given: dict[str, Any]) -> StripeObject:
    """From a request's hash. Raises Refused for numbers that no bank has."""
    number = str(given.get("account_number", ""))
    country = str(given.get("country") or account["country"]).upper()
    routing = given.get("routing_number")
    if not re.fullmatch(r"[A-Za-z0-9]{4,34}", number):
        raise refused("The bank account number provided is invalid.", "account_number")
    if country == "US" and routing is None:
        raise errors.parameter_missing("external_account[routing_number]")
    if routing is not None and not re.fullmatch(r"[A-Za-z0-9-]{4,12}", str(routing)):
        raise refused("The bank routing number provided is invalid.", "routing_number")
    fields: dict[str, Any] = {
        name: given[name]
        for name in ("account_holder_name", "account_holder_type")
        if name in given
    }
    currency = str(given.get("currency") or default_currency(country)).lower()
    fields |= {"country": country, "currency": currency, "routing_number": routing}
    return build(call, account, number, **fields)


def refused(message: str, field: str) -> errors.Refused:
    return errors.Refused(400, message, code=f"{field}_invalid", param=f"external_account[{field}]")


def default_for(call: Call, currency: str) -> StripeObject | None:
    """Where payouts in this currency go: the default, which a bank account or a card may be."""
    rows = [*call.newest_first("bank_account"), *call.newest_first("card")]
    # A card may as well be a customer's: those have no account, and no currency.
    fitting = [row for row in rows if row.get("account") and row["currency"] == currency]
    return next((row for row in fitting if row["default_for_currency"]), None)
