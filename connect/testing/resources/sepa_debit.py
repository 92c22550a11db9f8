"""SEPA debits: paid later than promised, or not at all, as the last digits of Stripe's test IBANs say."""

import re
from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.store import StripeObject

# https://docs.stripe.com/payments/sepa-debit/accept-a-payment#test-integration (seen 2026-11-24)
LATER = ("3203", "3204")
LATER_SECONDS = 180
FAILING = ("3202", "3205", "3001", "3456")
FAILED = ("debit_not_authorized", None, "The debit was not authorized by the bank.")


def details(call: Call, given: dict[str, Any]) -> StripeObject:
    iban = str((given.get("sepa_debit") or {}).get("iban", "")).replace(" ", "")
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban):
        raise errors.Refused(
            400,
            "The IBAN you specified is invalid.",
            code="invalid_bank_account_iban",
            param="iban",
        )
    return {
        "bank_code": iban[4:9],
        "branch_code": "",
        "country": iban[:2],
        "fingerprint": call.world.ids.characters(16),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": iban[-4:],
    }


def settles_at(call: Call, method: StripeObject) -> int:
    return call.now + (LATER_SECONDS if method["sepa_debit"]["last4"] in LATER else 0)


def decline(method: StripeObject) -> tuple[str, str | None, str] | None:
    """Why the debit fails: code, decline code, message."""
    return FAILED if method["sepa_debit"]["last4"] in FAILING else None
