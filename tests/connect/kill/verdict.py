"""Owns the count at the end: what was delivered, beside what is in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg

from tests.connect.kill.effects import stumbles
from tests.connect.kill.history import ACCOUNTS, History

INBOX = "SELECT connect_account_id, event_id, state, payload, attempts FROM connect_inboxevent"
ROWS = """
SELECT connect_account_id, stripe_id, data, deleted_at IS NOT NULL, livemode, settle_at IS NULL FROM stripe_{kind}
"""
KINDS = ("charge", "customer", "payout")


def problems(
    connection: psycopg.Connection, history: History, outside: Counter[str]
) -> tuple[list[Any], list[Any], list[Any]]:
    """Return what was lost, which rows are wrong, and which effects did not happen exactly once."""
    return (
        list(_lost(connection, history)),
        list(_wrong_rows(connection, history)),
        list(_effects_not_once(connection, history, outside)),
    )


def _lost(connection: psycopg.Connection, history: History) -> Iterator[Any]:
    """Every event is in the inbox once, as it was sent, and processed; being killed was no attempt of its own."""
    stored = Counter(connection.execute(INBOX).fetchall())
    expected = Counter(
        (told.account, told.id, "processed", told.body.decode(), int(stumbles(told.id)))
        for told in history.events
    )
    yield from ((expected - stored) + (stored - expected)).elements()


def _wrong_rows(connection: psycopg.Connection, history: History) -> Iterator[Any]:
    """Every object is as it was last at Stripe, none was guessed, and there is none beside them."""
    rows = {
        (account, kind, stripe_id): tuple(values)
        for kind in KINDS
        for account, stripe_id, *values in connection.execute(ROWS.format(kind=kind))
    }
    for key in rows.keys() | history.truth.keys():
        value, is_deleted = history.truth.get(key, (None, None))
        if rows.get(key) != (value, is_deleted, False, True):
            yield key, rows.get(key), history.truth.get(key)


def _effects_not_once(
    connection: psycopg.Connection, history: History, outside: Counter[str]
) -> Iterator[Any]:
    ids = [told.id for told in history.events]
    first = connection.execute("SELECT account, event_id FROM kill_effect").fetchall()
    yield from _not_once(first, ((told.account, told.id) for told in history.events))
    second = connection.execute("SELECT event_id FROM kill_second").fetchall()
    yield from _not_once((event_id for (event_id,) in second), ids)
    sums = dict(connection.execute("SELECT account, n FROM kill_sum").fetchall())
    expected = Counter(told.account for told in history.events)
    yield from ((a, sums[a], expected[a]) for a in ACCOUNTS if sums[a] != expected[a])
    yield from (("never heard of outside", i) for i in set(ids) - set(outside))
    if not any(map(stumbles, ids)):
        yield "no event at which a handler stumbled"


def _not_once(found: Iterable[Any], expected: Iterable[Any]) -> Iterator[Any]:
    found, expected = Counter(found), Counter(expected)
    yield from ((found - expected) + (expected - found)).elements()
