"""Finding an account's merchant takes what it takes, however many there are."""

from __future__ import annotations

import time

import pytest
from django.db import connection

import connect
from connect.context import UnknownAccount, every_account
from tenants import places
from tests.plugin import report
from tests.tenants.rows import A, B

MERCHANTS = 100_000


@pytest.fixture
def many(truth):
    truth(
        "INSERT INTO tenants_merchant (schema_name, connect_account_id, name, state)"
        " SELECT id, id, '', 'ready' FROM (SELECT 'acct_1' || md5(n::text) FROM generate_series(1, %s) AS n) AS x (id)",
        MERCHANTS,
    )
    truth("ANALYZE tenants_merchant")
    return truth


def per_entry():
    """Return the microseconds that it takes to enter a context, at best."""
    return min(_times(50) for _ in range(10)) / 50 * 1e6


def _times(count):
    began = time.perf_counter()
    for _ in range(count):
        with connect.account(A):
            pass
    return time.perf_counter() - began


def plan(statement, *parameters):
    with every_account(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(line for (line,) in cursor.fetchall())


def test_an_account_is_found_over_an_index_as_fast_among_many(many, monkeypatch):
    found = plan(places.FIND, A)
    assert "Index Scan" in found
    assert "Seq Scan" not in found
    assert "Seq Scan" not in plan(places.FOLLOWING, A, 20)
    among_many = per_entry()
    monkeypatch.setattr(places, "PAGE", 40_000)
    with every_account():
        accounts = list(places.ready_accounts())
        assert list(places.ready_accounts(after=accounts[-3])) == accounts[-2:]
    assert accounts[0] is connect.PLATFORM
    assert len(set(accounts)) == len(accounts) == MERCHANTS + 3
    many("DELETE FROM tenants_merchant WHERE connect_account_id <> ALL (%s)", ["", A, B])
    among_few = per_entry()
    report(
        f"schemas: an account is entered in {among_few:.0f} us among 2 merchants, in {among_many:.0f} us among "
        f"{MERCHANTS:,}"
    )
    # By far less than a scan of them all, on however busy a machine.
    assert among_many < 10 * among_few


def test_what_another_process_does_is_seen_at_once(truth):
    with connect.account(A):
        pass
    truth("UPDATE tenants_merchant SET state = 'retired' WHERE connect_account_id = %s", A)
    with pytest.raises(UnknownAccount), connect.account(A):
        pass
    truth("UPDATE tenants_merchant SET state = 'ready' WHERE connect_account_id = %s", A)
    with connect.account(A):
        pass
