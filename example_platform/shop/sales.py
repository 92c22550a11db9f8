"""Owns how a merchant's customer is charged: the three ways in which a platform may do it.

Each returns the PaymentIntent, and writes nothing: what became of it comes back by webhook.
https://docs.stripe.com/connect/charges
"""

from __future__ import annotations

from typing import Any, Final

import stripe

import connect
from connect import PLATFORM
from django_stripe.platform import Account

CARD: Final = "pm_card_visa"
FEE_PERCENT: Final = 10


def direct(
    account: str, amount_minor: int, currency: str, *, idempotency_key: str = "", **more: Any
) -> stripe.PaymentIntent:
    """Charge on the merchant's account; the platform takes its application fee there.

    https://docs.stripe.com/connect/direct-charges
    """
    params = {"application_fee_amount": fee_of(amount_minor), **more}
    return _pay(account, amount_minor, currency, idempotency_key, params)


def destination(
    account: str, amount_minor: int, currency: str, *, idempotency_key: str = "", **more: Any
) -> stripe.PaymentIntent:
    """Charge on the platform; Stripe passes the money on to the merchant, less the application fee.

    https://docs.stripe.com/connect/destination-charges
    """
    passing_on = {
        "application_fee_amount": fee_of(amount_minor),
        "transfer_data": {"destination": account},
    }
    return _pay(PLATFORM, amount_minor, currency, idempotency_key, passing_on | more)


def separate(
    account: str, amount_minor: int, currency: str, *, idempotency_key: str = "", **more: Any
) -> stripe.PaymentIntent:
    """Charge on the platform, and then transfer to the merchant what is not the platform's."""
    return shared([account], amount_minor, currency, idempotency_key=idempotency_key, **more)


def shared(
    accounts: list[str], amount_minor: int, currency: str, *, idempotency_key: str = "", **more: Any
) -> stripe.PaymentIntent:
    """Charge on the platform, and transfer to each of several merchants its part.

    https://docs.stripe.com/connect/separate-charges-and-transfers
    """
    paid = _pay(PLATFORM, amount_minor, currency, idempotency_key, more)
    for account in accounts:
        connect.client(account=PLATFORM).v1.transfers.create(
            {
                "amount": (amount_minor - fee_of(amount_minor)) // len(accounts),
                "currency": currency,
                "destination": account,
                "source_transaction": str(paid.latest_charge),
            },
            _options(idempotency_key and f"{idempotency_key}-{account}"),
        )
    return paid


WAYS: Final = {"direct": direct, "destination": destination, "separate": separate}


def fee_of(amount_minor: int) -> int:
    """Return what the platform keeps of a sale, in minor units."""
    return amount_minor * FEE_PERCENT // 100


def _pay(
    account: Account,
    amount_minor: int,
    currency: str,
    idempotency_key: str,
    more: dict[str, Any],
) -> stripe.PaymentIntent:
    params: Any = {
        "amount": amount_minor,
        "currency": currency,
        "confirm": True,
        "payment_method": CARD,
        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        **more,
    }
    client = connect.client(account=account)
    return client.v1.payment_intents.create(params, _options(idempotency_key))


def _options(idempotency_key: str) -> stripe.RequestOptions:
    """A form that is sent twice charges once. https://docs.stripe.com/api/idempotent_requests"""
    return {"idempotency_key": idempotency_key} if idempotency_key else {}
