"""Owns which endpoints a project wants, made of its settings, its addresses and its handlers."""

from __future__ import annotations

from collections.abc import Collection

import stripe

from connect.addresses import UnusableAddress, base_address, webhook_address
from connect.conf import ENDPOINTS, THIN
from connect.endpoints import Wanted
from connect.wanted_events import snapshot_events, thin_events, wanted_objects, wanted_patterns
from django_stripe.conf import setting


class NothingToHear(ValueError):
    """An endpoint is asked for that nothing here would listen to; Stripe makes none without events."""


def wanted_endpoints(
    names: Collection[str] | None, *, base_url: str, former_base_url: str | None, livemode: bool
) -> list[Wanted]:
    """Return the endpoints called `names`; None: platform, connect, and thin if a handler wants thin events.

    Raises UnusableAddress for a `base_url` that is empty or that Stripe could not deliver to, NothingToHear.
    """
    if not base_url:
        raise UnusableAddress(
            "Where does Stripe reach the project? Say --base-url https://shop.example, or set CONNECT_BASE_URL."
        )
    base = base_address(base_url, livemode=livemode)
    # The address until now may be any: it is looked for, not delivered to.
    former = base_address(former_base_url, livemode=False) if former_base_url else None
    if names is None:
        names = [name for name in ENDPOINTS if name != THIN or thin_events(wanted_patterns())]
    return [
        Wanted(
            name=name,
            url=webhook_address(base, name),
            events=_events(name),
            api_version=None if name == THIN else _api_version(),
            former_url=None if former is None else webhook_address(former, name),
        )
        for name in ENDPOINTS
        if name in names
    ]


def _events(name: str) -> frozenset[str]:
    if name == THIN:
        events = thin_events(wanted_patterns())
        what = 'register a handler, connect.on("v2.core.account.created"), or leave thin out'
    else:
        events = snapshot_events(wanted_objects(), wanted_patterns())
        what = "install an app of django_stripe.APPS, or register a handler"
    if not events:
        raise NothingToHear(f"{name}: there is nothing to hear of. To change that, {what}.")
    return events


def _api_version() -> str:
    """Return what `connect.client` talks, so that events look like what is retrieved."""
    return str(setting("STRIPE_API_VERSION") or stripe.api_version)
