"""Owns the charges that are measured with: of the size and shape of Stripe's, no two alike, the same in every run."""

from __future__ import annotations

import string
from random import Random
from typing import Any, Final

ACCOUNTS: Final = 20
BEGINNING_UNIX: Final = 1_780_000_000
LETTERS: Final = string.ascii_letters + string.digits
CURRENCIES: Final = ("usd", "eur", "gbp", "chf", "jpy")
BRANDS: Final = ("visa", "mastercard", "amex", "discover")
NAMES: Final = ("Ada Lovelace", "Grace Hopper", "Alan Turing", "Édouard Lucas", "Emmy Noether")


def account_id(number: int) -> str:
    """Return the id of the connected account of the charge of this number: a new merchant every time, in turns."""
    return f"acct_{_text(Random(f'account {number % ACCOUNTS}'), 16)}"  # noqa: S311 - a charge, no secret


def charge(number: int) -> dict[str, Any]:
    """Return the charge of this number, paid and not refunded. https://docs.stripe.com/api/charges/object"""
    random = Random(f"charge {number}")  # noqa: S311 - a charge, no secret
    charge_id = f"ch_{_text(random, 24)}"
    amount = random.randrange(50, 500_000)
    name = random.choice(NAMES)
    email = f"{name.split()[1].lower()}.{number}@example.com"
    fee_amount = amount // 20
    return {
        "id": charge_id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": 0,
        "application": f"ca_{_text(random, 32)}",
        "application_fee": f"fee_{_text(random, 24)}",
        "application_fee_amount": fee_amount,
        "balance_transaction": f"txn_{_text(random, 24)}",
        "billing_details": {
            "address": _address(random),
            "email": email,
            "name": name,
            "phone": f"+1{random.randrange(10**9, 10**10)}",
            "tax_id": None,
        },
        "calculated_statement_descriptor": f"SHOP* ORDER {number}",
        "captured": True,
        "created": BEGINNING_UNIX + number,
        "currency": random.choice(CURRENCIES),
        "customer": f"cus_{_text(random, 14)}",
        "description": f"Order {number}: {random.randrange(1, 9)} pieces",
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": {
            "order": str(number),
            "cart": _text(random, 32),
            "channel": random.choice(("web", "app", "kiosk")),
        },
        "on_behalf_of": None,
        "order": None,
        "outcome": {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "risk_level": "normal",
            "risk_score": random.randrange(0, 65),
            "seller_message": "Payment complete.",
            "type": "authorized",
        },
        "paid": True,
        "payment_intent": f"pi_{_text(random, 24)}",
        "payment_method": f"pm_{_text(random, 24)}",
        "payment_method_details": {"card": _card(random, amount), "type": "card"},
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": email,
        "receipt_number": None,
        "receipt_url": f"https://pay.stripe.com/receipts/payment/{_text(random, 96)}",
        "refunded": False,
        "review": None,
        "shipping": {
            "address": _address(random),
            "carrier": None,
            "name": name,
            "phone": None,
            "tracking_number": None,
        },
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": f"ORDER {number}",
        "status": "succeeded",
        "transfer_data": None,
        "transfer_group": f"group_{_text(random, 16)}",
    }


def refunded(charge: dict[str, Any]) -> dict[str, Any]:
    """Return `charge` as it is after a refund of half its amount."""
    return charge | {"amount_refunded": charge["amount"] // 2}


def _address(random: Random) -> dict[str, Any]:
    return {
        "city": random.choice(("Zürich", "San Francisco", "Lyon", "Dublin", "Osaka")),
        "country": random.choice(("CH", "US", "FR", "IE", "JP")),
        "line1": f"{random.randrange(1, 400)} {_text(random, 10).title()} Street",
        "line2": None,
        "postal_code": str(random.randrange(10_000, 99_999)),
        "state": None,
    }


def _card(random: Random, amount: int) -> dict[str, Any]:
    brand = random.choice(BRANDS)
    return {
        "amount_authorized": amount,
        "authorization_code": str(random.randrange(100_000, 999_999)),
        "brand": brand,
        "checks": {
            "address_line1_check": "pass",
            "address_postal_code_check": "pass",
            "cvc_check": "pass",
        },
        "country": "US",
        "exp_month": random.randrange(1, 13),
        "exp_year": random.randrange(2027, 2034),
        "extended_authorization": {"status": "disabled"},
        "fingerprint": _text(random, 16),
        "funding": random.choice(("credit", "debit", "prepaid")),
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": f"{random.randrange(10_000):04}",
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": brand,
        "network_token": {"used": False},
        "network_transaction_id": str(random.randrange(10**14, 10**15)),
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "wallet": None,
    }


def _text(random: Random, length: int) -> str:
    return "".join(random.choices(LETTERS, k=length))
