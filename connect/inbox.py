"""Owns receiving: an event is stored once, whatever becomes of it later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from connect import conf, telemetry, thin
from connect.context import every_account
from connect.models import InboxEvent
from django_stripe.database import ALIAS, connection
from django_stripe.event import Event, parse_event
from django_stripe.snapshot import Key, Snapshot, event_snapshot

# The ORM can ignore a conflict or return the id, not both.
INSERT: Final = """
INSERT INTO connect_inboxevent (
    connect_account_id, livemode, event_id, endpoint, type, api_version, object_type, object_id,
    created, payload, state, attempts, error, handled_by
)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'received', 0, '', '[]')
ON CONFLICT (connect_account_id, livemode, event_id) DO NOTHING
RETURNING id
"""


def receive(event: Event, *, endpoint: str) -> int | None:
    """Store `event`, which `endpoint` has verified, in one statement; return its inbox id, or None if it was there."""
    span = telemetry.span("connect.receive", endpoint=endpoint, event_type=event.type)
    # Whose it is, nobody knows yet: it may be of an account that cannot be entered.
    with span, every_account(), connection().cursor() as cursor:
        cursor.execute(
            INSERT,
            [
                event.connect_account_id,
                event.livemode,
                event.id,
                endpoint,
                event.type,
                event.api_version or "",
                event.object_type,
                event.object_id,
                event.created,
                event.body,
            ],
        )
        stored = cursor.fetchone()
    telemetry.count("received", 1 if stored else 0)
    return stored[0] if stored else None


def stored_event(inbox_id: int) -> Event:
    """Return an event of the inbox; a thin one with its object, if Stripe was asked for that."""
    rows = InboxEvent.objects.using(ALIAS).values_list("endpoint", "payload", "related")
    endpoint, payload, related = rows.get(pk=inbox_id)
    return thin.stored(payload, related) if endpoint == conf.THIN else parse_event(payload)


def events_about(
    stripe_object: str, key: Key, since: datetime | None, until: datetime
) -> Iterator[Snapshot]:
    """Return the stored events about one object, for the mirror to order its states by."""
    account, livemode, stripe_id = key
    rows = (
        InboxEvent.objects.using(ALIAS)
        .filter(
            connect_account_id=account,
            livemode=livemode,
            object_id=stripe_id,
            object_type=stripe_object,
            created__lte=until,
        )
        .exclude(state__in=(InboxEvent.State.IGNORED, InboxEvent.State.PARKED))
        .exclude(endpoint=conf.THIN)  # it tells of a change, and not of a state
    )
    if since is not None:
        rows = rows.filter(created__gte=since)
    for payload, received_at in rows.values_list("payload", "received_at"):
        yield event_snapshot(parse_event(payload), received_at=received_at)
