"""Owns processing: a stored event becomes rows, then its handlers hear of it."""

from __future__ import annotations

import logging
import random
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connect.context import account
from connect.models import InboxEvent
from connect.router import Route, routes_for
from django_stripe import mirror
from django_stripe.event import Event, parse_event
from django_stripe.mirroring import Outcome
from django_stripe.settling import settle, settle_due
from django_stripe.snapshot import event_snapshot

logger = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 12
BACKOFF_FIRST: Final = timedelta(seconds=30)
BACKOFF_MAX: Final = timedelta(hours=6)
ERROR_LENGTH_MAX: Final = 1000

State = InboxEvent.State
PENDING: Final = (State.RECEIVED, State.MIRRORED, State.FAILED)


def process(inbox_id: int) -> Outcome:
    """Process one stored event: its rows first, in a transaction of their own, then its handlers.

    An event that somebody else is processing, or that is done, is left alone. What PostgreSQL cannot
    store, and what a handler raises, is recorded with the event, which is due again later. Returns what
    the mirror did.
    """
    outcome = Outcome()
    with transaction.atomic():
        inbox = _lock(inbox_id)
        if inbox is None:
            return outcome
        event = parse_event(inbox.payload)
        if inbox.state != State.MIRRORED:
            outcome = mirror([event_snapshot(event, received_at=inbox.received_at)])
        routes = routes_for(event.type)
        if outcome.refused:
            reason = outcome.refused[0].reason
            _fail(inbox, f"{event.object_type} {event.object_id}: {reason}", retry=False)
        elif routes:
            _save(inbox, state=State.MIRRORED)
        else:
            _save(inbox, state=State.PROCESSED, processed_at=Now(), error="")
    for model, key in outcome.unsettled:
        settle(model, key)
    if routes and not outcome.refused:
        with transaction.atomic():
            inbox = _lock(inbox_id)
            if inbox is not None:
                _handle(inbox, event, routes)
    return outcome


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
