"""Thin events of the stand-in, at the thin endpoint: delivered by it, or posted by a test as it would deliver them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field

import pytest
from django.test import Client

from connect.models import InboxEvent
from connect.testing import StandIn
from connect.testing import thin as stand_ins
from tests.conftest import signature

SECRET = "whsec_th1nTHINth1n5678th1nTHIN90"


@dataclass
class Thin:
    """What happened at the stand-in, as thin events."""

    stripe: StandIn
    secrets: dict[str, list[str]]
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))

    def envelope(self, event_type="v1.customer.created", related=None, **changes):
        """Return an event that the stand-in did not make."""
        return {
            "id": f"evt_test_{next(self.numbers):06}",
            "object": "v2.core.event",
            "type": event_type,
            "created": "2026-01-31T12:00:00.987Z",
            "livemode": False,
            "context": None,
            "reason": None,
            "related_object": related,
        } | changes

    def last(self, event_type, account=""):
        """Return the last thin event of a type, as it is pushed."""
        events = self.stripe.state(account).get("v2.core.event", {}).values()
        found = [event for event in events if event["type"] == event_type]
        return stand_ins.notification(found[-1])

    def last_snapshot(self, event_type, account=""):
        """Return the last snapshot event of a type."""
        events = self.stripe.state(account).get("event", {}).values()
        return [event for event in events if event["type"] == event_type][-1]

    def post(self, event, endpoint="thin", *, secret=None):
        """Deliver an event, or bytes."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        header = signature(body, secret or self.secrets[endpoint][0])
        return Client().post(
            f"/stripe/webhooks/{endpoint}/",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": header},
        )

    def take(self, event, endpoint="thin"):
        """Deliver an event, which has to be accepted; return its row of the inbox."""
        response = self.post(event, endpoint)
        assert response.status_code == 200, response.content
        return InboxEvent.objects.get(event_id=event["id"])

    def asked(self):
        """Return which paths Stripe was asked for since this was last called, and in which account."""
        asked = [(one.path, one.account) for one in self.stripe.asked]
        self.stripe.world.asked.clear()
        return asked


@pytest.fixture
def thin(stripe, settings, routes):
    """A project without handlers, whose three endpoints have secrets."""
    settings.STRIPE_WEBHOOK_SECRETS = {**settings.STRIPE_WEBHOOK_SECRETS, "thin": [SECRET]}
    return Thin(stripe, settings.STRIPE_WEBHOOK_SECRETS)


@pytest.fixture
def merchant(thin):
    """A connected account, of which nothing was delivered."""
    account = thin.stripe.client().v1.accounts.create({"type": "express"}).id
    thin.stripe.onboard(account)
    thin.asked()
    return account
