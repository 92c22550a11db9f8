"""Owns the SQL that writes rows: one statement a table and batch, guarded by the ordering rule.

Parameters travel as binary arrays. As text arrays, which Django's ``bulk_create`` sends, psycopg would spend
more time escaping the JSON than PostgreSQL takes to store it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast

from django_stripe.database import binary_cursor, connection
from django_stripe.snapshot import Key, Snapshot

if TYPE_CHECKING:
    import psycopg

    from django_stripe.common.models import AbstractStripeModel

INSERT: Final = """
INSERT INTO {table} AS t (
    connect_account_id, livemode, stripe_id, data, as_of, origin, event_id,
    requested_at, received_at, deleted_at, leans_on_prior, updated_at
)
SELECT x.account, x.livemode, x.stripe_id, x.payload::jsonb #> x.path::text[], x.as_of, x.origin, x.event_id,
    x.requested_at, x.received_at, x.deleted_at, x.leans_on_prior, now()
FROM unnest(
    %b::text[], %b::bool[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::text[], %b::text[],
    %b::timestamptz[], %b::timestamptz[], %b::timestamptz[], %b::bool[]
) AS x (
    account, livemode, stripe_id, payload, path, as_of, origin, event_id,
    requested_at, received_at, deleted_at, leans_on_prior
)
ON CONFLICT (connect_account_id, livemode, stripe_id) DO UPDATE SET
    -- A deleted object may come back as a stub of its id: the last state is kept.
    data = CASE WHEN excluded.deleted_at IS NOT NULL AND excluded.data @> '{{"deleted": true}}'
        THEN t.data ELSE excluded.data END,
    as_of = {as_of},
    origin = excluded.origin,
    event_id = excluded.event_id,
    requested_at = greatest(excluded.requested_at, t.requested_at),
    received_at = excluded.received_at,
    deleted_at = excluded.deleted_at,
    settle_at = {settle_at},
    leans_on_prior = excluded.leans_on_prior,
    decided_since = NULL,
    updated_at = excluded.updated_at
{guard}
RETURNING true
"""

# The twin of ordering.supersedes, for the statement to decide alone in all but ties.
GUARD: Final = """
WHERE excluded.requested_at > t.received_at
    OR (t.requested_at IS NULL OR t.requested_at <= excluded.received_at)
    AND CASE WHEN excluded.event_id = '' AND excluded.requested_at IS NOT NULL
        -- A whole second later, also were it answered as it was asked. By intervals, whose functions are IMMUTABLE.
        THEN excluded.as_of - t.as_of - (excluded.received_at - excluded.requested_at) >= '1 second'
        ELSE excluded.as_of > t.as_of END
"""


ROWS: Final = """
SELECT t.connect_account_id, t.livemode, t.stripe_id,
    t.as_of, t.requested_at, t.received_at, t.event_id, t.deleted_at, t.decided_since, t.leans_on_prior, ''
FROM unnest(%b::text[], %b::bool[], %b::text[]) AS x (account, livemode, stripe_id)
JOIN {table} AS t
    ON (t.connect_account_id, t.livemode, t.stripe_id) = (x.account, x.livemode, x.stripe_id)
ORDER BY 1, 2, 3
"""

# By account: rows are locked where they are, and on Citus that is one node.
LOCKED_ROWS: Final = """
SELECT t.connect_account_id, t.livemode, t.stripe_id,
    t.as_of, t.requested_at, t.received_at, t.event_id, t.deleted_at, t.decided_since, t.leans_on_prior, t.data::text
FROM unnest(%b::bool[], %b::text[]) AS x (livemode, stripe_id)
JOIN {table} AS t ON (t.livemode, t.stripe_id) = (x.livemode, x.stripe_id)
WHERE t.connect_account_id = %b
ORDER BY 2, 3
FOR UPDATE OF t
"""

MARK: Final = """
UPDATE {table} AS t SET as_of = new.as_of, decided_since = new.decided_since,
    received_at = greatest(t.received_at, new.received_at), leans_on_prior = new.leans_on_prior,
    -- Somebody may be asking Stripe already, until the time that stands there.
    settle_at = CASE WHEN NOT new.settled THEN coalesce(t.settle_at, new.received_at) END, updated_at = now()
FROM (VALUES (%b::timestamptz, %b::timestamptz, %b::timestamptz, %b::bool, %b::bool))
    AS new (as_of, decided_since, received_at, leans_on_prior, settled)
WHERE (t.connect_account_id, t.livemode, t.stripe_id) = (%b, %b, %b)
    AND (t.as_of, t.decided_since, t.leans_on_prior, t.settle_at IS NULL, t.received_at >= new.received_at)
        IS DISTINCT FROM (new.as_of, new.decided_since, new.leans_on_prior, new.settled, true)
"""

KEEP_STATE: Final = """
UPDATE {table} AS t SET data = %b::jsonb #> %b::text[], updated_at = now()
WHERE (t.connect_account_id, t.livemode, t.stripe_id) = (%b, %b, %b)
    AND t.data IS DISTINCT FROM %b::jsonb #> %b::text[]
    AND NOT %b::jsonb #> %b::text[] @> '{{"deleted": true}}'
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's bookkeeping, as the ordering rule wants it; `data` is filled where the row is locked."""

    as_of: datetime
    requested_at: datetime | None
    received_at: datetime
    event_id: str
    deleted_at: datetime | None
    decided_since: datetime | None
    leans_on_prior: bool
    data: str


def upsert(model: type[AbstractStripeModel], snapshots: Sequence[Snapshot]) -> int:
    """Write `snapshots`, at most one a key, where they are later than the row; return how many were written."""
    statement = INSERT.format(
        table=_table(model),
        as_of="greatest(excluded.as_of, t.as_of)",
        settle_at="NULL",
        guard=GUARD,
    )
    # Deleted at Stripe's word alone: events that are still on their way know the last state.
    return _write(
        statement, [*_arrays(snapshots), [s.deleted and not s.event_id for s in snapshots]]
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tie was decided to be: over which seconds, and by what had been received until when."""

    since: datetime
    until: datetime
    received_at: datetime
    settled: bool
    leans_on_prior: bool


def overwrite(model: type[AbstractStripeModel], snapshot: Snapshot) -> None:
    """Write the state that a tie was decided for, whatever the row says. The caller has locked it."""
    statement = INSERT.format(
        table=_table(model), as_of="excluded.as_of", settle_at="t.settle_at", guard=""
    )
    _write(statement, [*_arrays([snapshot]), [snapshot.deleted and not snapshot.event_id]])


def mark(model: type[AbstractStripeModel], key: Key, verdict: Verdict) -> None:
    """Note in the row how its tie was decided, so that what comes later can be told from what was considered."""
    moments = [verdict.until, verdict.since, verdict.received_at]
    _write(
        MARK.format(table=_table(model)),
        [*moments, verdict.leans_on_prior, verdict.settled, *key],
    )


def keep_state(model: type[AbstractStripeModel], snapshot: Snapshot) -> None:
    """Give a deleted row the state of `snapshot`, the last it had."""
    state = [snapshot.payload, snapshot.path]
    _write(KEEP_STATE.format(table=_table(model)), [*state, *snapshot.key, *state, *state])


def rows(
    model: type[AbstractStripeModel], keys: Collection[Key], *, lock: bool = False
) -> dict[Key, Row]:
    """Return the bookkeeping of the rows of `keys`; locked, and with their `data`, if `lock`."""
    table = _table(model)
    if not lock:
        columns = [list(column) for column in zip(*sorted(keys), strict=True)]
        return _by_key(_read(ROWS.format(table=table), columns))
    found: dict[Key, Row] = {}
    for account, its in groupby(sorted(keys), itemgetter(0)):
        _, livemodes, ids = zip(*its, strict=True)
        parameters = [list(livemodes), list(ids), account]
        found |= _by_key(_read(LOCKED_ROWS.format(table=table), parameters))
    return found


def clock() -> datetime:
    """Return the database's clock, which all our own moments are read from: hosts differ."""
    (row,) = _read("SELECT clock_timestamp()", [])
    return cast("datetime", _in_utc(row[0]))


def _by_key(found: Iterable[Any]) -> dict[Key, Row]:
    return {row[:3]: Row(*map(_in_utc, row[3:])) for row in found}


def _write(statement: str, parameters: Sequence[Any]) -> int:
    """Return how many rows were written, by the rows returned: Citus counts those that the guard kept out too."""
    with _cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.pgresult.ntuples if cursor.pgresult is not None else 0


def _read(statement: str, parameters: Sequence[Any]) -> list[Any]:
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).fetchall()


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[Any]]:
    with connection().wrap_database_errors, binary_cursor() as cursor:
        yield cursor


def _in_utc(value: Any) -> Any:
    """Two times of one zone are subtracted by the wall clock, and a zone may put its own back."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _arrays(snapshots: Sequence[Snapshot]) -> list[list[Any]]:
    return [
        [s.account for s in snapshots],
        [s.livemode for s in snapshots],
        [s.stripe_id for s in snapshots],
        [s.payload for s in snapshots],
        [s.path for s in snapshots],
        [s.as_of for s in snapshots],
        [s.origin for s in snapshots],
        [s.event_id for s in snapshots],
        [s.requested_at for s in snapshots],
        [s.received_at for s in snapshots],
        [s.as_of if s.deleted else None for s in snapshots],
    ]


def _table(model: type[AbstractStripeModel]) -> str:
    return connection().ops.quote_name(model._meta.db_table)
