"""Owns the limit of the mirror: a COPY of the same rows into a table with no key, no index, no derived column."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Final

import psycopg

from django_stripe.snapshot import Snapshot

TABLE: Final = """
CREATE TABLE IF NOT EXISTS bench_raw (
    connect_account_id text, livemode boolean, stripe_id text, data jsonb, as_of timestamptz, origin text,
    event_id text, requested_at timestamptz, received_at timestamptz, deleted_at timestamptz,
    settle_at timestamptz, leans_on_prior boolean, created_at timestamptz, updated_at timestamptz
)
"""
CHUNK_BYTES: Final = 1 << 18


def encode(snapshots: Iterable[Snapshot]) -> bytes:
    """Return the rows of `snapshots` as COPY reads them, so that encoding is no part of the limit."""
    return "".join(map(_line, snapshots)).encode()


def empty(connection: psycopg.Connection) -> None:
    """Provide the table, empty."""
    connection.execute(TABLE)
    connection.execute("TRUNCATE bench_raw")


def copy(connection: psycopg.Connection, rows: bytes) -> float:
    """Return in how many seconds `rows` are stored, in one transaction."""
    started = perf_counter()
    with connection.cursor().copy("COPY bench_raw FROM STDIN") as target:
        for start in range(0, len(rows), CHUNK_BYTES):
            target.write(rows[start : start + CHUNK_BYTES])
    return perf_counter() - started


def _line(snapshot: Snapshot) -> str:
    payload = snapshot.payload.replace("\\", r"\\").replace("\n", r"\n").replace("\t", r"\t")
    columns = (
        snapshot.account,
        "ft"[snapshot.livemode],
        snapshot.stripe_id,
        payload,
        snapshot.as_of.isoformat(),
        snapshot.origin,
        snapshot.event_id,
        snapshot.requested_at.isoformat() if snapshot.requested_at else r"\N",
        snapshot.received_at.isoformat(),
        r"\N",
        r"\N",
        "f",
        snapshot.received_at.isoformat(),
        snapshot.received_at.isoformat(),
    )
    return "\t".join(columns) + "\n"
