"""Owns what charges name, and how Stripe answers when it is asked: no more of each object than dj-stripe keeps."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from bench.charge import ACCOUNTS, charge

LINKS: Final = ("balance_transaction", "customer", "payment_intent", "payment_method")


class Links(StrEnum):
    """Which other objects the charges of a measure name."""

    NONE = "none"
    """None at all: the least that dj-stripe ever has to do, as it asks Stripe for every object that a charge names."""
    RETURNING = "returning"
    """A customer and a payment method that their account has seen before, and a payment of their own."""
    NEW = "new"
    """Only what nobody has seen before: each is a new customer's first."""


def linked_charge(number: int, links: Links) -> dict[str, Any]:
    """Return the charge of this number with these links."""
    value = charge(number)
    if links is Links.NONE:
        return value | dict.fromkeys(LINKS)
    if links is Links.RETURNING:
        first = charge(number % ACCOUNTS)  # of the same account
        return value | {each: first[each] for each in ("customer", "payment_method")}
    return value


def linked_objects(charge: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the objects that `charge` names, by path. Nothing among them names more than it does."""
    return {
        f"/v1/balance_transactions/{charge['balance_transaction']}": balance_transaction(charge),
        f"/v1/customers/{charge['customer']}": _customer(charge),
        f"/v1/payment_intents/{charge['payment_intent']}": _payment_intent(charge),
        f"/v1/payment_methods/{charge['payment_method']}": _payment_method(charge),
    }


def balance_transaction(charge: dict[str, Any]) -> dict[str, Any]:
    """Return what `charge` did to the balance. https://docs.stripe.com/api/balance_transactions/object"""
    fee = charge["application_fee_amount"]
    return {
        "id": charge["balance_transaction"],
        "object": "balance_transaction",
        "amount": charge["amount"],
        "available_on": charge["created"],
        "created": charge["created"],
        "currency": charge["currency"],
        "description": charge["description"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": charge["amount"] - fee,
        "reporting_category": "charge",
        "source": charge["id"],
        "status": "available",
        "type": "charge",
    }


def _customer(charge: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": charge["customer"],
        "object": "customer",
        "created": charge["created"],
        "default_source": None,
        "email": charge["receipt_email"],
        "invoice_settings": {"default_payment_method": None},
        "livemode": False,
        "metadata": {},
        "name": charge["billing_details"]["name"],
    }


def _payment_intent(charge: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": charge["payment_intent"],
        "object": "payment_intent",
        "amount": charge["amount"],
        "amount_received": charge["amount"],
        "created": charge["created"],
        "currency": charge["currency"],
        "customer": charge["customer"],
        "latest_charge": charge["id"],
        "livemode": False,
        "metadata": {},
        "on_behalf_of": None,
        "payment_method": charge["payment_method"],
        "status": "succeeded",
    }


def _payment_method(charge: dict[str, Any]) -> dict[str, Any]:
    details = charge["payment_method_details"]["card"]
    return {
        "id": charge["payment_method"],
        "object": "payment_method",
        "billing_details": charge["billing_details"],
        "card": {"brand": details["brand"], "last4": details["last4"]},
        "created": charge["created"],
        "customer": charge["customer"],
        "livemode": False,
        "metadata": {},
        "type": "card",
    }
