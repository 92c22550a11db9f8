"""Owns the SQL that writes rows: one statement a table and batch, guarded by the ordering rule.

Parameters travel as binary arrays. As text arrays, which Django's ``bulk_create`` sends, psycopg would spend
more time escaping the JSON than PostgreSQL takes to store it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

from django_stripe.snapshot import Key, Snapshot

if TYPE_CHECKING:
    from django.db.backends.postgresql.base import DatabaseWrapper

    from django_stripe.common.models import AbstractStripeModel

INSERT: Final = """
INSERT INTO {table} AS t (
    connect_account_id, livemode, stripe_id, data, as_of, origin, event_id,
    requested_at, received_at, deleted_at, settle_at, leans_on_prior
)
SELECT x.account, x.livemode, x.stripe_id, x.payload::jsonb #> x.path::text[], x.as_of, x.origin, x.event_id,
    x.requested_at, x.received_at, x.deleted_at, {settle_at}, x.leans_on_prior
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
    settle_at = {kept_settle_at},
    leans_on_prior = excluded.leans_on_prior,
    updated_at = now()
{guard}
"""

# The twin of ordering.supersedes, for the statement to decide alone in all but ties.
GUARD: Final = """
WHERE excluded.requested_at > t.received_at
    OR (t.requested_at IS NULL OR t.requested_at <= excluded.received_at)
    AND CASE WHEN excluded.event_id = '' AND excluded.requested_at IS NOT NULL
        THEN date_trunc('second', excluded.as_of - (excluded.received_at - excluded.requested_at))
        ELSE excluded.as_of END > t.as_of
"""


ROWS: Final = """
SELECT t.connect_account_id, t.livemode, t.stripe_id,
    t.as_of, t.requested_at, t.received_at, t.event_id, t.deleted_at, t.leans_on_prior, {data}
FROM unnest(%b::text[], %b::bool[], %b::text[]) AS x (account, livemode, stripe_id)
JOIN {table} AS t
    ON (t.connect_account_id, t.livemode, t.stripe_id) = (x.account, x.livemode, x.stripe_id)
ORDER BY 1, 2, 3
{lock}
"""

MARK: Final = """
UPDATE {table} AS t SET settle_at = {settle_at}, leans_on_prior = %b, updated_at = now()
WHERE (t.connect_account_id, t.livemode, t.stripe_id) = (%b, %b, %b)
    AND (t.settle_at, t.leans_on_prior) IS DISTINCT FROM ({settle_at}, %b)
"""

KEEP_STATE: Final = """
UPDATE {table} AS t SET data = %b::jsonb #> %b::text[], updated_at = now()
WHERE (t.connect_account_id, t.livemode, t.stripe_id) = (%b, %b, %b)
    AND t.data IS DISTINCT FROM %b::jsonb #> %b::text[]
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A row's bookkeeping, as the ordering rule wants it; `data` is filled where the row is locked."""

    as_of: datetime
    requested_at: datetime | None
    received_at: datetime
    event_id: str
    deleted_at: datetime | None
    leans_on_prior: bool
    data: str


def upsert(model: type[AbstractStripeModel], snapshots: Sequence[Snapshot]) -> int:
    """Write `snapshots`, at most one a key, where they are later than the row; return how many were written."""
    statement = INSERT.format(
        table=_table(model),
        settle_at="NULL",
        as_of="greatest(excluded.as_of, t.as_of)",
        kept_settle_at="NULL",
        guard=GUARD,
    )
    # In one order everywhere: two batches then wait for each other, and never both.
    ordered = sorted(snapshots, key=lambda s: s.key)
    # Deleted at Stripe's word alone: events that are still on their way know the last state.
    return _write(statement, [*_arrays(ordered), [s.deleted and not s.event_id for s in ordered]])


def overwrite(
    model: type[AbstractStripeModel], snapshot: Snapshot, *, settled: bool, leans: bool
) -> None:
    """Write what a tie was decided to be, whatever the row says. The caller has locked it."""
    statement = INSERT.format(
        table=_table(model),
        settle_at="NULL" if settled else "clock_timestamp()",
        as_of="excluded.as_of",
        # Somebody may be asking Stripe already, until the time that stands there.
        kept_settle_at="NULL" if settled else "coalesce(t.settle_at, excluded.settle_at)",
        guard="",
    )
    _write(
        statement, [*_arrays([snapshot]), [leans or (snapshot.deleted and not snapshot.event_id)]]
    )


def mark(model: type[AbstractStripeModel], key: Key, *, settled: bool, leans: bool) -> None:
    """Leave the row's state, and note whether it is settled."""
    settle_at = "NULL" if settled else "coalesce(t.settle_at, clock_timestamp())"
    _write(MARK.format(table=_table(model), settle_at=settle_at), [leans, *key, leans])


def keep_state(model: type[AbstractStripeModel], snapshot: Snapshot) -> None:
    """Give a deleted row the state of `snapshot`, the last it had."""
    state = [snapshot.payload, snapshot.path]
    _write(KEEP_STATE.format(table=_table(model)), [*state, *snapshot.key, *state])


def rows(
    model: type[AbstractStripeModel], keys: Collection[Key], *, lock: bool = False
) -> dict[Key, Row]:
    """Return the bookkeeping of the rows of `keys`; locked, and with their `data`, if `lock`."""
    statement = ROWS.format(
        table=_table(model),
        data="t.data::text" if lock else "''",
        lock="FOR UPDATE OF t" if lock else "",
    )
    columns = [list(column) for column in zip(*sorted(keys), strict=True)]
    return {row[:3]: Row(*row[3:]) for row in _read(statement, columns)}


def clock() -> datetime:
    """Return the database's clock, which all our own moments are read from: hosts differ."""
    (row,) = _read("SELECT clock_timestamp()", [])
    return cast("datetime", row[0])


def database() -> DatabaseWrapper:
    """Return the connection that holds the mirror."""
    return connections[DEFAULT_DB_ALIAS]  # type: ignore[return-value]


def _write(statement: str, parameters: Sequence[Any]) -> int:
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).rowcount


def _read(statement: str, parameters: Sequence[Any]) -> list[Any]:
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).fetchall()


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[Any]]:
    """A cursor that sends parameters in binary; Django's own bind them on the client, as text."""
    connection = database()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor


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
    return database().ops.quote_name(model._meta.db_table)
