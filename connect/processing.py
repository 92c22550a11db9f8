"""Owns processing one stored event: it becomes rows, then its handlers hear of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from connect import telemetry
from connect.attempts import PENDING, State, give_back
from connect.conf import livemode_policy
from connect.context import UnknownAccount, account, every_account
from connect.handling import handle
from connect.inbox import stored_event
from connect.models import InboxEvent
from connect.related import mirror_related
from connect.router import routes_for
from connect.unsettled import settle_in_account
from django_stripe.conf import configured_modes
from django_stripe.database import ALIAS, connection
from django_stripe.event import Event
from django_stripe.mirroring import Outcome, mirror_one
from django_stripe.refusal import PayloadRefused
from django_stripe.snapshot import Snapshot, event_snapshot

UNKNOWN_ACCOUNT: Final = "This account is not known here."
NO_KEY: Final = "There is no key for this mode."

# What the ORM makes of this takes longer than PostgreSQL does, and this is done for every event.
CLAIM: Final = """
UPDATE connect_inboxevent
SET state = %s, processed_at = CASE WHEN %s THEN now() END, error = CASE WHEN %s THEN '' ELSE error END
WHERE id = (
    SELECT id FROM connect_inboxevent
    WHERE id = %s AND state IN ('received', 'mirrored', 'failed') FOR UPDATE SKIP LOCKED
)
RETURNING received_at
"""


@every_account()
def process(inbox_id: int, event: Event | None = None) -> Outcome:
    """Process one stored event: its rows first, in a transaction of their own, then its handlers.

    An event that somebody else is processing, or that is done, is left alone. What PostgreSQL cannot
    store, and what a handler raises, is recorded with the event, which is due again later. `event` is
    what was stored, if the caller has it at hand. Returns what the mirror did.
    """
    event = stored_event(inbox_id) if event is None else event
    routes = routes_for(event)
    outcome = mirror_stored(inbox_id, event, done=not routes)
    if outcome is None:
        return Outcome()
    for model, key in outcome.unsettled:
        settle_in_account(model, key, turns=1)
    if routes:
        with transaction.atomic(ALIAS):
            handle(inbox_id, stored_event(inbox_id) if event.is_thin else event)
    return outcome


def mirror_stored(inbox_id: int, event: Event, *, done: bool) -> Outcome | None:
    """Write the rows of one stored event, and how far it is: that it is `done`, or that handlers are to hear of it.

    None: somebody else has it, or it cannot be retrieved, stored or entered, which is recorded.
    """
    if event.livemode not in configured_modes():
        endpoints = InboxEvent.objects.using(ALIAS).filter(pk=inbox_id)
        state = refused_mode(endpoints.values_list("endpoint", flat=True).get())
        if state is not None:
            _set_aside(inbox_id, state, NO_KEY)
            return None
    mirror = mirror_related if event.is_thin else _mirror
    try:
        outcome = mirror(inbox_id, event, done=done)
    except UnknownAccount:
        _set_aside(inbox_id, State.PARKED, UNKNOWN_ACCOUNT)
        return None
    except PayloadRefused as refusal:
        give_back(inbox_id, refused(event.object_type, event.object_id, refusal), retry=False)
        return None
    telemetry.count("processed", int(done and outcome is not None))
    return outcome


def refused_mode(endpoint: str) -> State | None:
    """Return the state of an event of a mode there is no key for; None: it is processed like any other."""
    return {"park": State.PARKED, "ignore": State.IGNORED}.get(livemode_policy(endpoint))


def snapshot_of(event: Event, received_at: datetime) -> Snapshot:
    """Return the state that a stored event tells of its object. Raises PayloadRefused if its id is none."""
    if event.object.get("id") and not event.object_id:
        raise PayloadRefused("its id is no text of up to 255 characters")
    return event_snapshot(event, received_at=received_at)


def _mirror(inbox_id: int, event: Event, *, done: bool) -> Outcome | None:
    """Write the rows of a pending event, and in the same transaction how far it is; None: somebody else has it."""
    state = State.PROCESSED if done else State.MIRRORED
    with transaction.atomic(ALIAS), connection().cursor() as cursor:
        cursor.execute(CLAIM, [state, done, done, inbox_id])
        claimed = cursor.fetchone()
        if claimed is None:
            return None
        with account(event.account):
            outcome = mirror_one(snapshot_of(event, claimed[0]))
    telemetry.waited((timezone.now() - claimed[0]).total_seconds())
    return outcome


def refused(object_type: str, object_id: str, reason: object) -> str:
    """Say which object could not be stored, and why."""
    return f"{object_type} {object_id}: {reason}"


def _set_aside(inbox_id: int, state: State, reason: str) -> None:
    pending = InboxEvent.objects.using(ALIAS).filter(pk=inbox_id, state__in=PENDING)
    pending.update(state=state, error=reason, next_attempt_at=None)
