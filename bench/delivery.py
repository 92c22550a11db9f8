"""Owns the deliveries that both products are given: two events of every charge, it succeeded and was refunded."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from bench.charge import account_id, refunded
from bench.links import Links, linked_charge
from bench.payload import payload

API_VERSION: Final = "2026-05-27.dahlia"
SECRET: Final = "whsec_bEnChMaRkBENCHMARKbenchmark123"  # noqa: S105 - it guards nothing
"""The signing secret of either product's endpoint."""


def delivery(number: int, links: Links = Links.NONE) -> bytes:
    """Return the body of the delivery of this number; charges come one after the other, both events each."""
    charge_number, is_refund = divmod(number, 2)
    value = linked_charge(charge_number, links)
    data: dict[str, Any] = {"object": value}
    if is_refund:
        data = {
            "object": refunded(value),
            "previous_attributes": {"amount_refunded": value["amount_refunded"]},
        }
    event = {
        "id": f"evt_{number:024}",
        "object": "event",
        "account": account_id(charge_number),
        "api_version": API_VERSION,
        "created": value["created"] + 60 * is_refund,
        "data": data,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": f"req_{number:014}", "idempotency_key": f"key-{number}"},
        "type": "charge.refunded" if is_refund else "charge.succeeded",
    }
    return payload(event).encode()


def signature(body: bytes, now_unix: int) -> str:
    """Return the value of the header Stripe-Signature. https://docs.stripe.com/webhooks#verify-manually"""
    signed = hmac.new(SECRET.encode(), f"{now_unix}.".encode() + body, hashlib.sha256)
    return f"t={now_unix},v1={signed.hexdigest()}"
