"""Owns lanes: the events of one account and mode, of which one worker at a time takes the next.

A worker has a lane as long as its transaction has the lane's row locked. Killed, it lets go; whoever takes the
lane next finds the events as the last commit left them, and goes on in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from django_stripe.database import connection

BATCH_EVENTS_MAX: Final = 500
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
LANES_MAX: Final = 100

# From lane to lane over the index, so that a lane of 100,000 events costs as much as one of a single event.
WAITING: Final = """
WITH RECURSIVE lane AS (
    (
        SELECT connect_account_id, livemode FROM connect_inboxevent
        WHERE state IN ('received', 'mirrored') AND (connect_account_id, livemode) {after} (%s, %s)
        ORDER BY connect_account_id, livemode LIMIT 1
    )
    UNION ALL
    SELECT following.* FROM lane CROSS JOIN LATERAL (
        SELECT e.connect_account_id, e.livemode FROM connect_inboxevent AS e
        WHERE e.state IN ('received', 'mirrored')
            AND (e.connect_account_id, e.livemode) > (lane.connect_account_id, lane.livemode)
        ORDER BY e.connect_account_id, e.livemode LIMIT 1
    ) AS following
)
SELECT connect_account_id, livemode FROM lane LIMIT %s
"""

LEASE: Final = """
SELECT FROM connect_lane WHERE connect_account_id = %s AND livemode = %s FOR UPDATE SKIP LOCKED
"""

NEW: Final = """
INSERT INTO connect_lane (connect_account_id, livemode) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""

TAKE: Final = """
WITH taken AS MATERIALIZED (
    SELECT id, octet_length(payload) AS size FROM connect_inboxevent
    WHERE connect_account_id = %s AND livemode = %s AND state = 'received' AND endpoint <> 'thin'
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), summed AS (
    SELECT id, sum(size) OVER (ORDER BY id) - size AS size_before FROM taken
)
SELECT e.id, e.event_id, e.type, e.object_type, e.object_id, e.created, e.received_at, e.endpoint, e.payload
FROM summed JOIN connect_inboxevent AS e USING (id)
WHERE size_before < %s ORDER BY id
"""

NEXT_MIRRORED: Final = """
WITH leased AS MATERIALIZED (
    SELECT FROM connect_lane WHERE connect_account_id = %s AND livemode = %s FOR UPDATE SKIP LOCKED
)
SELECT e.id FROM connect_inboxevent AS e
WHERE e.connect_account_id = %s AND e.livemode = %s AND e.state = 'mirrored' AND EXISTS (SELECT FROM leased)
ORDER BY e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
"""

NEXT_THIN: Final = """
SELECT id FROM connect_inboxevent
WHERE connect_account_id = %s AND livemode = %s AND state = 'received' AND endpoint = 'thin' ORDER BY id LIMIT 1
"""

RECORD: Final = """
UPDATE connect_inboxevent AS e
SET state = verdict.state, processed_at = CASE WHEN verdict.state = 'processed' THEN now() END,
    error = CASE WHEN verdict.state = 'mirrored' THEN e.error ELSE verdict.error END,
    attempts = e.attempts + (verdict.state = 'failed')::int
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS verdict (id, state, error) WHERE e.id = verdict.id
"""


class LaneKey(NamedTuple):
    """What a lane is found by."""

    connect_account_id: str
    livemode: bool


class Taken(NamedTuple):
    """A received event, locked: what mirroring and routing need, so that nothing is parsed for them again."""

    id: int
    event_id: str
    type: str
    object_type: str
    object_id: str
    created: datetime
    received_at: datetime
    endpoint: str
    payload: str

    @property
    def is_thin(self) -> bool:
        """No thin event is taken: its object has to be retrieved first."""
        return False


FIRST: Final = LaneKey("", False)
"""The platform's lane of test mode, before which no other is."""


def waiting(after: LaneKey | None = None, limit: int = LANES_MAX) -> list[LaneKey]:
    """Return up to `limit` lanes that have something to do, in their order, from the one after `after` on."""
    statement = WAITING.format(after=">" if after else ">=")
    return [LaneKey(*row) for row in _rows(statement, [*(after or FIRST), limit])]


def lease(lane: LaneKey) -> bool:
    """Lock the lane until the transaction ends; False: somebody else has it."""
    if _rows(LEASE, lane):
        return True
    with connection().cursor() as cursor:
        cursor.execute(NEW, lane)
        return bool(cursor.rowcount)


def take(lane: LaneKey) -> list[Taken]:
    """Lock and return the lane's next received events, in their order: a batch of bounded size."""
    return [Taken(*row) for row in _rows(TAKE, [*lane, BATCH_EVENTS_MAX, BATCH_BYTES_MAX])]


def next_mirrored(lane: LaneKey) -> int | None:
    """Lock the lane and the first of its events that wait for their handlers; return its id."""
    rows = _rows(NEXT_MIRRORED, [*lane, *lane])
    return rows[0][0] if rows else None


def next_thin(lane: LaneKey) -> int | None:
    """Return the id of the first of the lane's thin events that wait for their object."""
    rows = _rows(NEXT_THIN, lane)
    return rows[0][0] if rows else None


def record(verdicts: Mapping[int, tuple[str, str]]) -> None:
    """Write the state and the error of each event of a batch."""
    states, errors = zip(*verdicts.values(), strict=True)
    with connection().cursor() as cursor:
        cursor.execute(RECORD, [list(verdicts), [str(s) for s in states], list(errors)])


def _rows(statement: str, parameters: Any) -> list[Any]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
