"""Owns processing: a stored event becomes rows, then its handlers hear of it."""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connect.conf import livemode_policy
from connect.context import account
from connect.models import InboxEvent
from connect.router import Route, routes_for
from django_stripe.conf import configured_modes
from django_stripe.database import ALIAS, connection
from django_stripe.event import Event, parse_event
from django_stripe.failure import where
from django_stripe.mirroring import Outcome, mirror_one
from django_stripe.refusal import PayloadRefused
from django_stripe.settling import settle, settle_due
from django_stripe.snapshot import event_snapshot

logger = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 12
BACKOFF_FIRST: Final = timedelta(seconds=30)
BACKOFF_MAX: Final = timedelta(hours=6)
ERROR_LENGTH_MAX: Final = 1000

State = InboxEvent.State
PENDING: Final = (State.RECEIVED, State.MIRRORED, State.FAILED)


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


def process(inbox_id: int, event: Event | None = None) -> Outcome:
    """Process one stored event: its rows first, in a transaction of their own, then its handlers.

    An event that somebody else is processing, or that is done, is left alone. What PostgreSQL cannot
    store, and what a handler raises, is recorded with the event, which is due again later. `event` is
    what was stored, if the caller has it at hand. Returns what the mirror did.
    """
    if event is None:
        stored = InboxEvent.objects.using(ALIAS).values_list("payload", flat=True)
        event = parse_event(stored.get(pk=inbox_id))
    if event.livemode not in configured_modes() and _set_aside(inbox_id):
        return Outcome()
    routes = routes_for(event.type)
    outcome = _mirror(inbox_id, event, done=not routes)
    if outcome is None:
        return Outcome()
    for model, key in outcome.unsettled:
        settle(model, key, turns=1)
    if routes:
        with transaction.atomic(ALIAS):
            inbox = _lock(inbox_id)
            if inbox is not None:
                _handle(inbox, event, routes)
    return outcome


def _set_aside(inbox_id: int) -> bool:
    """Park or ignore an event of a mode there is no key for, unless it is to be accepted."""
    pending = InboxEvent.objects.using(ALIAS).filter(pk=inbox_id, state__in=PENDING)
    policy = livemode_policy(pending.values_list("endpoint", flat=True).first() or "")
    if policy == "accept":
        return False
    pending.update(state=State.IGNORED if policy == "ignore" else State.PARKED)
    return True


def _mirror(inbox_id: int, event: Event, *, done: bool) -> Outcome | None:
    """Write the rows of a pending event, and in the same transaction how far it is.

    None: somebody else has it, or it cannot be stored, which is recorded.
    """
    state = State.PROCESSED if done else State.MIRRORED
    try:
        with transaction.atomic(ALIAS), connection().cursor() as cursor:
            cursor.execute(CLAIM, [state, done, done, inbox_id])
            claimed = cursor.fetchone()
            if claimed is None:
                return None
            if event.object.get("id") and not event.object_id:
                raise PayloadRefused("its id is no text of up to 255 characters")
            return mirror_one(event_snapshot(event, received_at=claimed[0]))
    except PayloadRefused as refusal:
        problem = f"{event.object_type} {event.object_id}: {refusal}"
        _give_back(inbox_id, problem, retry=False)
        return None


def process_due(limit: int = 1000) -> int:
    """Process up to `limit` stored events that are due, oldest first, and settle what is unsettled; return how many."""
    due = (
        InboxEvent.objects.using(ALIAS)
        .filter(state__in=PENDING, next_attempt_at__lte=Now())
        .order_by("id")
    )
    ids = list(due.values_list("id", flat=True)[:limit])
    for inbox_id in ids:
        try:
            process(inbox_id)
        except Exception as error:  # noqa: BLE001 - it is this event's, and the others are not to wait for it
            logger.error("Inbox event %s could not be processed: %s", inbox_id, where(error))
            _give_back(inbox_id, type(error).__name__, retry=True)
    settle_due()
    return len(ids)


def _lock(inbox_id: int) -> InboxEvent | None:
    pending = InboxEvent.objects.using(ALIAS).filter(pk=inbox_id, state__in=PENDING)
    return pending.select_for_update(skip_locked=True).first()


def _handle(inbox: InboxEvent, event: Event, routes: list[Route]) -> None:
    """Call every handler that is not done with the event, each in a savepoint and in the event's account."""
    done: list[str] = list(inbox.handled_by)
    problems = []
    for route in routes:
        if route.name in done:
            continue
        try:
            with transaction.atomic(ALIAS), account(event.account):
                route.handler(event)
        except Exception as error:  # noqa: BLE001 - it is the handler's alone: the others and the mirror go on
            logger.error(
                "Handler %s failed for event %s (%s): %s",
                route.name,
                event.id,
                event.type,
                where(error),
            )
            problems.append(f"{route.name}: {type(error).__name__}")
        else:
            done.append(route.name)
    if problems:
        _fail(inbox, "; ".join(problems), retry=True, handled_by=done)
    else:
        _save(inbox, state=State.PROCESSED, processed_at=Now(), error="", handled_by=done)


def _give_back(inbox_id: int, problem: str, *, retry: bool) -> None:
    with transaction.atomic(ALIAS):
        inbox = _lock(inbox_id)
        if inbox is not None:
            _fail(inbox, problem, retry=retry)


def _fail(inbox: InboxEvent, problem: str, *, retry: bool, **fields: object) -> None:
    """Record what went wrong. Later attempts are further apart, and not all at the same moment."""
    attempts = inbox.attempts + 1
    longest = min(BACKOFF_FIRST * 2 ** (attempts - 1), BACKOFF_MAX)
    again = timezone.now() + longest * random.random()  # noqa: S311 - a spread, no secret
    _save(
        inbox,
        state=State.FAILED,
        attempts=attempts,
        next_attempt_at=again if retry and attempts < ATTEMPTS_MAX else None,
        error=problem[:ERROR_LENGTH_MAX],
        **fields,
    )


def _save(inbox: InboxEvent, **fields: object) -> None:
    InboxEvent.objects.using(ALIAS).filter(pk=inbox.pk).update(**fields)
