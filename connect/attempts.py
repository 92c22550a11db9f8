"""Owns what becomes of an event that fails: it is tried again, later and later, and then left to somebody."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Final, NamedTuple

from django.db import transaction

from connect import telemetry
from connect.models import InboxEvent
from django_stripe.database import ALIAS, connection

ATTEMPTS_MAX: Final = 12
BACKOFF_FIRST: Final = timedelta(seconds=30)
BACKOFF_MAX: Final = timedelta(hours=6)
ERROR_LENGTH_MAX: Final = 1000
AGAIN_AT_ONCE_MAX: Final = 1000

State = InboxEvent.State
PENDING: Final = (State.RECEIVED, State.MIRRORED, State.FAILED)

# A thin event and the snapshot event of the same change are one occurrence: what one has done, the other has.
LOCK: Final = """
SELECT e.id, e.attempts, e.handled_by, ARRAY(
    SELECT thin.handled_by::text FROM connect_inboxevent AS thin
    WHERE thin.snapshot_event_id <> '' AND (thin.connect_account_id, thin.livemode, thin.snapshot_event_id)
        = (e.connect_account_id, e.livemode, e.event_id)
    UNION ALL
    SELECT snapshot.handled_by::text FROM connect_inboxevent AS snapshot
    WHERE e.snapshot_event_id <> '' AND (snapshot.connect_account_id, snapshot.livemode, snapshot.event_id)
        = (e.connect_account_id, e.livemode, e.snapshot_event_id)
)
FROM connect_inboxevent AS e
WHERE e.id = %s AND e.state IN ('received', 'mirrored', 'failed') FOR UPDATE OF e SKIP LOCKED
"""

# Of the two, the id of the snapshot event is known to both. Not their lane: its other events need not wait. And not in
# one statement with LOCK, which would see the twin as it was before the wait.
WAIT: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(coalesce(nullif(snapshot_event_id, ''), event_id), 0))
FROM connect_inboxevent WHERE id = %s
"""

FAIL: Final = """
UPDATE connect_inboxevent
SET state = 'failed', attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => %s),
    error = %s, handled_by = %s
WHERE id = %s
"""

AGAIN: Final = """
UPDATE connect_inboxevent SET state = 'received', next_attempt_at = NULL
WHERE id IN (
    SELECT id FROM connect_inboxevent WHERE state = 'failed' AND next_attempt_at <= now()
    ORDER BY next_attempt_at LIMIT %s FOR UPDATE SKIP LOCKED
)
"""


class Pending(NamedTuple):
    """An event that is locked, and not done."""

    id: int
    attempts: int
    handled_by: list[str]
    """The names of the handlers that are done with it, or with its twin."""


def wait_for_twin(inbox_id: int) -> None:
    """Have an event and its twin, thin or snapshot, to this transaction until it ends: somebody may be at that one."""
    with connection().cursor() as cursor:
        cursor.execute(WAIT, [inbox_id])


def lock(inbox_id: int) -> Pending | None:
    """Lock an event until the transaction ends; None: it is done, or somebody else is at it."""
    with connection().cursor() as cursor:
        cursor.execute(LOCK, [inbox_id])
        row = cursor.fetchone()
    if row is None:
        return None
    own, twins = json.loads(row[2]), map(json.loads, row[3])
    return Pending(row[0], row[1], list({name: None for names in (own, *twins) for name in names}))


def fail(pending: Pending, problem: str, *, retry: bool) -> None:
    """Record what went wrong. Later attempts are further apart, and not all at the same moment."""
    attempts = pending.attempts + 1
    wait = None
    if retry and attempts < ATTEMPTS_MAX:
        wait = backoff(attempts).total_seconds() * random.random()  # noqa: S311 - a spread, no secret
    with connection().cursor() as cursor:
        handled_by = json.dumps(pending.handled_by)
        cursor.execute(FAIL, [wait, problem[:ERROR_LENGTH_MAX], handled_by, pending.id])
    telemetry.count("failed")


def backoff(attempts: int) -> timedelta:
    """Return the longest wait after so many attempts: half a minute, doubled each time, at most six hours."""
    return min(BACKOFF_FIRST * (1 << min(attempts - 1, 20)), BACKOFF_MAX)


def give_back(inbox_id: int, problem: str, *, retry: bool) -> None:
    """Record what went wrong with an event that nobody has locked, if it is not done meanwhile."""
    with transaction.atomic(ALIAS):
        pending = lock(inbox_id)
        if pending is not None:
            fail(pending, problem, retry=retry)


def try_again_due() -> int:
    """Put failed events whose time has come back among the received ones; return how many."""
    with connection().cursor() as cursor:
        cursor.execute(AGAIN, [AGAIN_AT_ONCE_MAX])
        return int(cursor.rowcount)
