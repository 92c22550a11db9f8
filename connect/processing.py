"""Owns processing: a stored event becomes rows, then its handlers hear of it."""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import Final

from django.db import connections, router, transaction
from django.db.models.functions import Now
from django.utils import timezone

from connect.context import account
from connect.models import InboxEvent
from connect.router import Route, routes_for
from django_stripe.event import Event, parse_event
from django_stripe.mirroring import Outcome, PayloadRefused, mirror_one
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
        event = parse_event(InboxEvent.objects.values_list("payload", flat=True).get(pk=inbox_id))
    routes = routes_for(event.type)
    try:
        outcome = _mirror(inbox_id, event, done=not routes)
    except PayloadRefused as refusal:
        with transaction.atomic():
            inbox = _lock(inbox_id)
            if inbox is not None:
                problem = f"{event.object_type} {event.object_id}: {refusal}"
                _fail(inbox, problem, retry=False)
        return Outcome()
    for model, key in outcome.unsettled:
        settle(model, key)
    if routes:
        with transaction.atomic():
            inbox = _lock(inbox_id)
            if inbox is not None:
                _handle(inbox, event, routes)
    return outcome


def _mirror(inbox_id: int, event: Event, *, done: bool) -> Outcome:
    """Write the rows of a pending event, and in the same transaction how far it is with that."""
    state = State.PROCESSED if done else State.MIRRORED
    alias = router.db_for_write(InboxEvent)
    with transaction.atomic(alias), connections[alias].cursor() as cursor:
        cursor.execute(CLAIM, [state, done, done, inbox_id])
        claimed = cursor.fetchone()
        if claimed is None:
            return Outcome()
        return mirror_one(event_snapshot(event, received_at=claimed[0]))


def process_due(limit: int = 1000) -> int:
    """Process up to `limit` stored events that are due, oldest first, and settle what is unsettled; return how many."""
    due = InboxEvent.objects.filter(state__in=PENDING, next_attempt_at__lte=Now()).order_by("id")
    ids = list(due.values_list("id", flat=True)[:limit])
    for inbox_id in ids:
        process(inbox_id)
    settle_due()
    return len(ids)


def _lock(inbox_id: int) -> InboxEvent | None:
    pending = InboxEvent.objects.filter(pk=inbox_id, state__in=PENDING)
    return pending.select_for_update(skip_locked=True).first()


def _handle(inbox: InboxEvent, event: Event, routes: list[Route]) -> None:
    """Call every handler that is not done with the event, each in a savepoint and in the event's account."""
    done: list[str] = list(inbox.handled_by)
    problems = []
    for route in routes:
        if route.name in done:
            continue
        try:
            with transaction.atomic(), account(event.account):
                route.handler(event)
        except Exception as error:
            # Whatever it is, it is the handler's alone: the others and the mirror go on.
            logger.exception(
                "Handler %s failed for event %s (%s).", route.name, event.id, event.type
            )
            problems.append(f"{route.name}: {type(error).__name__}")
        else:
            done.append(route.name)
    if problems:
        _fail(inbox, "; ".join(problems), retry=True, handled_by=done)
    else:
        _save(inbox, state=State.PROCESSED, processed_at=Now(), error="", handled_by=done)


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
    InboxEvent.objects.filter(pk=inbox.pk).update(**fields)
