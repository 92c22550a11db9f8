"""What the tests share: signed deliveries, over the real view and a real PostgreSQL."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from connect import router

SHARED = Path(__file__).parents[2] / "shared"
NOW_UNIX = 1_700_000_000

hypothesis_settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
hypothesis_settings.load_profile("project")


@pytest.fixture
def shared() -> Path:
    """The official fixtures and recorded payloads, which lie beside the project and are not part of it."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED.name}/ with the official fixtures does not lie beside this checkout")
    return SHARED


@pytest.fixture
def routes() -> Iterator[dict[str, router.Route]]:
    """The registered handlers, which are forgotten after the test."""
    before = dict(router._routes)
    router._routes.clear()
    yield router._routes
    router._routes.clear()
    router._routes.update(before)


def customer(stripe_id="cus_1", **fields):
    return {"id": stripe_id, "object": "customer", "created": NOW_UNIX, "metadata": {}} | fields


def signature(body: bytes, secret: str, *, at_unix: float | None = None) -> str:
    """Return what Stripe would send as Stripe-Signature."""
    at = int(time.time() if at_unix is None else at_unix)
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={mac}"


class Deliverer:
    """Delivers events to the webhook view as Stripe does."""

    def __init__(self) -> None:
        self.client = Client()
        self.numbers = itertools.count(1)

    def event(self, event_type="customer.created", value=None, **envelope):
        """Return an event about `value`; `account=None` makes it one of the platform."""
        value = (
            {"id": "cus_1", "object": "customer", "created": NOW_UNIX} if value is None else value
        )
        data = {"object": value}
        if "previous_attributes" in envelope:
            data["previous_attributes"] = envelope.pop("previous_attributes")
        event = {
            "id": f"evt_{next(self.numbers):06}",
            "object": "event",
            "type": event_type,
            "account": "acct_A",
            "livemode": False,
            "created": NOW_UNIX,
            "api_version": "2026-10-28.endive",
            "data": data,
        } | envelope
        if event["account"] is None:
            del event["account"]
        return event

    def post(self, body, *, endpoint="connect", secret=None, header=None):
        """Post `body`: an event, or bytes; signed, unless `header` says otherwise."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if header is None:
            header = signature(body, secret or settings.STRIPE_WEBHOOK_SECRETS[endpoint][0])
        return self.client.post(
            f"/stripe/webhooks/{endpoint}/",
            data=body,
            content_type="application/json",
            headers={"Stripe-Signature": header} if header else {},
        )

    def __call__(self, *args, **envelope):
        """Deliver an event; it has to be accepted."""
        response = self.post(self.event(*args, **envelope))
        assert response.status_code == 200, response.content
        return response


@pytest.fixture
def deliver() -> Deliverer:
    return Deliverer()
