"""Owns the calls about endpoints: those for snapshots are v1's webhook endpoints, the thin one is a v2 destination."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Protocol

import stripe

from connect.conf import ENDPOINTS, THIN
from connect.endpoints import Found, Wanted

# Written into the metadata of what we make: our name of it, and which secret it signs with.
MARK: Final = "django_stripe_connect"
SIGNED_WITH: Final = "django_stripe_connect_secret_sha256"

PAGE_SIZE: Final = 100


class Endpoints(Protocol):
    """One kind of endpoint at Stripe."""

    def newest_first(self) -> list[Found]:
        """Retrieve all there are, also those that are not ours."""

    def create(self, wanted: Wanted) -> tuple[str, str]:
        """Make one, and return its id and its signing secret, which Stripe tells at no other time."""

    def note_secret(self, endpoint_id: str, sha256: str) -> None:
        """Have the endpoint remember which secret it signs with, in a form that tells nothing of it."""

    def update(self, found: Found, wanted: Wanted) -> None:
        """Change what can be changed; neither API version nor scope can."""

    def delete(self, endpoint_id: str) -> None:
        """Delete it; Stripe stops retrying what it could not deliver there."""


class SnapshotEndpoints:
    """https://docs.stripe.com/api/webhook_endpoints"""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._service = client.v1.webhook_endpoints

    def newest_first(self) -> list[Found]:
        pages = self._service.list({"limit": PAGE_SIZE})
        # Python's sort keeps Stripe's order, newest first, among those of one second.
        rows = sorted(_plain(pages.auto_paging_iter()), key=lambda row: -int(row["created"]))
        return [
            Found(
                id=row["id"],
                url=row["url"],
                events=frozenset(row["enabled_events"]),
                api_version=row["api_version"],
                enabled=row["status"] == "enabled",
                **_marks(row),
            )
            for row in rows
        ]

    def create(self, wanted: Wanted) -> tuple[str, str]:
        params: Any = {
            "url": wanted.url,
            "connect": wanted.name == "connect",
            "enabled_events": sorted(wanted.events),
            "api_version": wanted.api_version,
            "description": f"django-stripe-connect: {wanted.name}",
            "metadata": {MARK: wanted.name},
        }
        made = self._service.create(params)
        return made.id, str(made.secret)

    def note_secret(self, endpoint_id: str, sha256: str) -> None:
        self._service.update(endpoint_id, {"metadata": {SIGNED_WITH: sha256}})

    def update(self, found: Found, wanted: Wanted) -> None:
        params: Any = {
            "url": wanted.url,
            "enabled_events": sorted(wanted.events),
            "disabled": False,
            "metadata": {MARK: wanted.name},
        }
        self._service.update(found.id, params)

    def delete(self, endpoint_id: str) -> None:
        self._service.delete(endpoint_id)


class ThinEndpoints:
    """https://docs.stripe.com/api/v2/core/event_destinations"""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._service = client.v2.core.event_destinations

    def newest_first(self) -> list[Found]:
        pages = self._service.list({"limit": PAGE_SIZE, "include": ["webhook_endpoint.url"]})
        rows = sorted(
            _plain(pages.auto_paging_iter()),
            key=lambda row: -datetime.fromisoformat(row["created"]).timestamp(),
        )
        return [
            Found(
                id=row["id"],
                url=(row["webhook_endpoint"] or {}).get("url") or "",
                events=frozenset(row["enabled_events"]),
                # One that sends snapshots is not what is wanted, and cannot be made so.
                api_version=row["snapshot_api_version"],
                enabled=row["status"] == "enabled",
                scopes=tuple(sorted(row["events_from"] or [])),
                **_marks(row),
            )
            for row in rows
        ]

    def create(self, wanted: Wanted) -> tuple[str, str]:
        params: Any = {
            "name": "django-stripe-connect",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "events_from": list(wanted.scopes),
            "enabled_events": sorted(wanted.events),
            "webhook_endpoint": {"url": wanted.url},
            "include": ["webhook_endpoint.signing_secret"],
            "metadata": {MARK: wanted.name},
        }
        made = self._service.create(params).to_dict()
        return made["id"], made["webhook_endpoint"]["signing_secret"]

    def note_secret(self, endpoint_id: str, sha256: str) -> None:
        self._service.update(endpoint_id, {"metadata": {SIGNED_WITH: sha256}})

    def update(self, found: Found, wanted: Wanted) -> None:
        params: Any = {
            "webhook_endpoint": {"url": wanted.url},
            "enabled_events": sorted(wanted.events),
            "metadata": {MARK: wanted.name},
        }
        self._service.update(found.id, params)
        if not found.enabled:
            self._service.enable(found.id)

    def delete(self, endpoint_id: str) -> None:
        self._service.delete(endpoint_id)


def endpoints_at_stripe(client: stripe.StripeClient, name: str) -> Endpoints:
    """Return the kind of endpoint that the one we call `name` is of."""
    return ThinEndpoints(client) if name == THIN else SnapshotEndpoints(client)


def _plain(objects: Iterable[stripe.StripeObject]) -> list[dict[str, Any]]:
    return [value.to_dict() for value in objects]


def _marks(row: dict[str, Any]) -> dict[str, Any]:
    metadata = row["metadata"] or {}
    mark = metadata.get(MARK, "")
    return {
        "mark": mark if mark in ENDPOINTS else "",
        "secret_sha256": metadata.get(SIGNED_WITH, ""),
    }
