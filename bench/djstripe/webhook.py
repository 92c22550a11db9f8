"""Owns dj-stripe's endpoint: a row, made from what Stripe answers when it is created."""

from __future__ import annotations

from django.urls import reverse
from djstripe.models import WebhookEndpoint

from bench.delivery import API_VERSION, SECRET


def webhook_path() -> str:
    """Make the endpoint and return its path."""
    endpoint = WebhookEndpoint.sync_from_stripe_data(
        {
            "id": "we_bench0000000000000000",
            "object": "webhook_endpoint",
            "api_version": API_VERSION,
            "application": None,
            "created": 1_780_000_000,
            "enabled_events": ["*"],
            "livemode": False,
            "metadata": {},
            "secret": SECRET,
            "status": "enabled",
            "url": "https://shop.example.com/stripe/webhook/",
        }
    )
    return reverse("djstripe:djstripe_webhook_by_uuid", args=[endpoint.djstripe_uuid])
