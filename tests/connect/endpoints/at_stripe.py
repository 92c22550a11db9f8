"""The endpoints that the stand-in has, and where the shop of these tests is."""

import connect

BASE = "https://shop.example"
PLATFORM = f"{BASE}/stripe/webhooks/platform/"
CONNECT = f"{BASE}/stripe/webhooks/connect/"
THIN = f"{BASE}/stripe/webhooks/thin/"
OLD_VERSION = "2025-03-31.basil"
DEFAULT = object()


def at(stripe, url):
    """The endpoints at this address, as the stand-in delivers to them, oldest first."""
    return [endpoint for endpoint in stripe.endpoints if endpoint.url == url]


def rows(stripe):
    return {row.id: row for row in stripe.client().v1.webhook_endpoints.list()}


def writes(stripe):
    return [asked for asked in stripe.asked if asked.method != "GET"]


def hear(pattern):
    def handler(event): ...

    handler.__qualname__ = pattern
    connect.on(pattern)(handler)
