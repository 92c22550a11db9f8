"""Owns lanes: the events of one account and mode, of which one worker at a time takes the next.

A worker has a lane as long as its transaction has the lane's row locked; it takes the few events of many lanes
together, or many of one. Killed, it lets go; whoever takes the
lane next finds the events as the last commit left them, and goes on in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from connect import conf
from django_stripe.database import connection

BATCH_EVENTS_MAX: Final = 500
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
PAGE: Final = 200

# From lane to lane over the index, so that one of 100,000 events costs as much as one of a single event.
WAITING: Final = """
WITH RECURSIVE waiting AS (
    (
        SELECT connect_account_id, livemode, state FROM connect_inboxevent
        WHERE state IN ('received', 'mirrored') AND (connect_account_id, livemode, state) > (%s, %s, %s)
        ORDER BY connect_account_id, livemode, state LIMIT 1
    )
    UNION ALL
    SELECT following.* FROM waiting CROSS JOIN LATERAL (
        SELECT e.connect_account_id, e.livemode, e.state FROM connect_inboxevent AS e
        WHERE e.state IN ('received', 'mirrored') AND (e.connect_account_id, e.livemode, e.state)
            > (waiting.connect_account_id, waiting.livemode, waiting.state)
        ORDER BY e.connect_account_id, e.livemode, e.state LIMIT 1
    ) AS following
)
SELECT connect_account_id, livemode, state FROM waiting LIMIT %s
"""

LEASE: Final = """
SELECT connect_account_id, livemode FROM connect_lane
WHERE (connect_account_id, livemode) IN (SELECT * FROM unnest(%s::text[], %s::bool[]))
ORDER BY connect_account_id, livemode FOR UPDATE SKIP LOCKED
"""

NEW: Final = """
INSERT INTO connect_lane (connect_account_id, livemode)
SELECT * FROM unnest(%s::text[], %s::bool[]) ORDER BY 1, 2
ON CONFLICT DO NOTHING RETURNING connect_account_id, livemode
"""

TAKE: Final = """
WITH taken AS MATERIALIZED (
    SELECT lane.number, e.id, e.size
    FROM unnest(%s::text[], %s::bool[]) WITH ORDINALITY AS lane (account, livemode, number)
    CROSS JOIN LATERAL (
        SELECT id, octet_length(payload) AS size FROM connect_inboxevent
        WHERE connect_account_id = lane.account AND livemode = lane.livemode AND state = 'received'
        ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ) AS e
    LIMIT %s
), summed AS (
    SELECT number, id, sum(size) OVER (ORDER BY number, id) - size AS size_before FROM taken
)
SELECT e.id, e.connect_account_id, e.livemode, e.event_id, e.type, e.object_type, e.object_id, e.created,
    e.received_at, e.endpoint, e.payload
FROM summed JOIN connect_inboxevent AS e USING (id)
WHERE size_before < %s ORDER BY number, id
"""

NEXT_MIRRORED: Final = """
WITH leased AS MATERIALIZED (
    SELECT FROM connect_lane WHERE connect_account_id = %s AND livemode = %s FOR UPDATE SKIP LOCKED
)
SELECT e.id FROM connect_inboxevent AS e
WHERE e.connect_account_id = %s AND e.livemode = %s AND e.state = 'mirrored' AND EXISTS (SELECT FROM leased)
ORDER BY e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED
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

    inbox_id: int
    connect_account_id: str
    livemode: bool
    id: str
    """The event's own."""
    type: str
    object_type: str
    object_id: str
    created: datetime
    received_at: datetime
    endpoint: str
    body: str

    @property
    def lane(self) -> LaneKey:
        """The lane it was taken from."""
        return LaneKey(self.connect_account_id, self.livemode)

    @property
    def is_thin(self) -> bool:
        """Say whether its object has to be retrieved before it is mirrored."""
        return self.endpoint == conf.THIN


class Waiting(NamedTuple):
    """That a lane has events of a state: received ones, or mirrored ones that wait for their handlers."""

    connect_account_id: str
    livemode: bool
    state: str

    @property
    def lane(self) -> LaneKey:
        """The lane."""
        return LaneKey(self.connect_account_id, self.livemode)


START: Final = Waiting("", False, "")


def waiting(after: Waiting = START) -> list[Waiting]:
    """Return what waits, by lane and in the order of lanes, after `after`: a page of it."""
    return [Waiting(*row) for row in _rows(WAITING, [*after, PAGE])]


def lease(lanes: Sequence[LaneKey]) -> list[LaneKey]:
    """Lock those of `lanes` that nobody else has, until the transaction ends, and return them in their order."""
    found = [LaneKey(*row) for row in _rows(LEASE, _columns(lanes))]
    if len(found) < len(lanes):
        # Those that others have locked are there, and are not waited for.
        missing = sorted(set(lanes) - set(found))
        found += [LaneKey(*row) for row in _rows(NEW, _columns(missing))]
    return sorted(found)


def take(lanes: Sequence[LaneKey]) -> list[Taken]:
    """Lock and return the next received events of `lanes`, in their order: a batch of bounded size."""
    limits = [BATCH_EVENTS_MAX, BATCH_EVENTS_MAX, BATCH_BYTES_MAX]
    return [Taken(*row) for row in _rows(TAKE, [*_columns(lanes), *limits])]


def next_mirrored(lane: LaneKey) -> int | None:
    """Lock the lane and the first of its events that wait for their handlers; return its id."""
    rows = _rows(NEXT_MIRRORED, [*lane, *lane])
    return rows[0][0] if rows else None


def record(verdicts: Mapping[int, tuple[str, str]]) -> None:
    """Write the state and the error of each event of a batch."""
    states, errors = zip(*verdicts.values(), strict=True)
    with connection().cursor() as cursor:
        cursor.execute(RECORD, [list(verdicts), [str(s) for s in states], list(errors)])


def _columns(lanes: Sequence[LaneKey]) -> list[list[Any]]:
    return [list(column) for column in zip(*lanes, strict=True)]


def _rows(statement: str, parameters: Any) -> list[Any]:
    with connection().cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
