"""What a platform has moves to schemas and back: all of it, once, and with the proof that it arrived."""

from __future__ import annotations

from dataclasses import replace

import pytest

import connect
from django_stripe.charge.models import Charge
from django_stripe.mirroring import mirror
from tenants.merchants.models import Merchant
from tenants.provisioning import provision, retire
from tests.tenants.rows import A, B, snapshot
from tests.tenants.schemas import moved
from tests.tenants.schemas.moved import ACCOUNTS, C

pytest_plugins = "tests.tenants.schemas.moved"


def test_each_account_has_its_rows_in_a_schema_of_its_own(platform):
    before = platform.all_rows(of_rows=True)
    assert {account: len(rows["stripe_charge"]) for account, rows in before.items()} == {
        "": 3, A: 3, B: 3, C: 2,
    }  # fmt: skip
    said = platform.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert f"{A}: 4 rows moved" in said.out
    assert "platform: 3 rows moved" in said.out
    assert "accounts moved: 4 of 4" in said.out
    assert platform.all_rows(of_rows=False) == before
    assert platform.all_rows(of_rows=True) == before
    with platform.served():
        states = Merchant.objects.values_list("connect_account_id", "state")
        assert sorted(states) == [(account, "ready") for account in ACCOUNTS]
        with connect.account(A):
            assert Charge.objects.count() == 3
            mirror([snapshot(A, "ch_new")])
    assert platform.charge(A, "ch_new", "id") > platform.charge(A, "ch_a2", "id")


def test_nothing_is_done_the_second_time(in_schemas):
    written = 'SELECT xmin::text, id FROM "acct_A".stripe_charge UNION ALL SELECT xmin::text, oid FROM pg_namespace'
    before = sorted(in_schemas.execute(written))
    said = in_schemas.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert "rows moved" not in said.out
    assert "accounts moved: 4 of 4" in said.out
    assert sorted(in_schemas.execute(written)) == before


def test_there_and_back_every_row_is_as_it_was(platform):
    before = platform.all_rows(of_rows=True)
    tables = platform.tables("public")
    assert platform.to_schemas().code == 0
    assert platform.to_schemas("--verify").code == 0
    said = platform.to_schemas("--drop", "--yes")
    assert (said.err, said.code) == ("", 0)
    gone = tables - platform.tables("public")
    assert {name for name in tables if name.startswith("stripe_")} - gone == {"stripe_account"}
    assert "orders_order" in gone
    assert platform.all_rows(of_rows=False) == before
    with platform.served(), connect.account(B):
        assert Charge.objects.count() == 3
    assert platform.to_schemas().code == 0  # there is nothing left to move

    said = platform.to_rows()
    assert (said.err, said.code) == ("", 0)
    assert "Tables are made in the shared schema: " in said.out
    assert platform.tables("public") >= tables
    assert platform.all_rows(of_rows=True) == before
    assert platform.to_rows("--verify").code == 0
    assert platform.under_rows("-m", "django", "migrate", "--check", "--database=owner").code == 0
    checked = platform.under_rows("-m", "django", "tenants_rls", "check")
    assert (checked.err, checked.code) == ("", 0)
    said = platform.to_rows("--drop", "--yes")
    assert (said.err, said.code) == ("", 0)
    assert not platform.tables(A) | platform.tables("platform")
    assert platform.all_rows(of_rows=True) == before


def test_back_behind_the_wall_the_rows_of_schemas_arrive_beside_those_that_are_there(in_schemas):
    """The ids of schemas are counted in each: where one is taken, the row gets another."""
    with in_schemas.served():
        for account in (A, B, C):
            with connect.account(account):
                mirror([replace(snapshot(A, "ch_new"), account=account)])
    in_schemas.execute("DELETE FROM public.stripe_charge WHERE connect_account_id = 'acct_C'")
    in_schemas.execute(f'UPDATE "{C}".stripe_charge SET id = id + 1000')
    in_schemas.execute(f"UPDATE \"{C}\".stripe_charge SET id = 1 WHERE stripe_id = 'ch_new'")
    said = in_schemas.to_rows()
    assert (said.err, said.code) == ("", 0)
    there = in_schemas.all_rows(of_rows=True, ids=False)
    assert there == in_schemas.all_rows(of_rows=False, ids=False)
    assert {account: len(rows["stripe_charge"]) for account, rows in there.items()} == {
        "": 3, A: 4, B: 4, C: 3,
    }  # fmt: skip
    ids = in_schemas.execute("SELECT id, connect_account_id FROM public.stripe_charge")
    assert (1, C) not in ids


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("UPDATE {} SET data = data || '{{\"amount\": 7}}'", "0 rows missing, 1 that differ"),
        ("UPDATE {} SET origin = 'other'", "0 rows missing, 1 that differ"),
        ("DELETE FROM {}", "1 rows missing, 0 that differ"),
    ],
)
def test_a_row_that_is_not_as_it_was_is_found_and_the_source_kept(in_schemas, change, difference):
    assert in_schemas.to_schemas("--verify").code == 0
    statement = change.format('"acct_B".stripe_charge') + " WHERE stripe_id = 'ch_b1'"
    in_schemas.execute(statement)
    said = in_schemas.to_schemas("--verify")
    assert (said.err, said.code) == (f"{B}: stripe_charge: {difference}", 1)
    assert "accounts compared: 3 of 4" in said.out
    said = in_schemas.to_schemas("--drop", "--yes")
    assert (said.err, said.code) == (f"{B}: stripe_charge: {difference}", 1)
    assert len(in_schemas.rows("public", B)["stripe_charge"]) == 3
    assert in_schemas.rows("public", A) == {}


def test_what_is_not_moved_is_said_to_be_so(platform):
    said = platform.to_schemas("--verify", A)
    assert (said.err, said.code) == (f"{A}: There is no schema {A}: it is not moved yet.", 1)
    said = platform.to_schemas("--drop", "--yes", A)
    assert said.code == 1
    assert "not moved" in said.err
    assert len(platform.rows("public", A)["stripe_charge"]) == 3


def test_one_that_fails_is_named_and_keeps_nobody_waiting(platform, caplog):
    before = platform.all_rows(of_rows=True)
    platform.execute(f'CREATE SCHEMA "{A}" AUTHORIZATION "{platform.owner}"')
    platform.execute(f'CREATE TABLE "{A}".stripe_charge (id int)')
    said = platform.to_schemas()
    assert said.code == 1
    assert said.err.startswith(f"{A}: ProgrammingError: ")
    assert len(said.err.splitlines()) == 1
    assert "accounts moved: 3 of 4" in said.out
    assert f"Account {A} could not be moved" in caplog.text
    assert platform.rows(B, B) == before[B]
    platform.execute(f'DROP SCHEMA "{A}" CASCADE')
    assert platform.to_schemas().code == 0
    assert platform.all_rows(of_rows=False) == before


def test_a_retired_merchant_stays_retired_and_a_dropped_one_is_not_brought_back(platform):
    with platform.served():
        moved.call_command("tenants_migrate", verbosity=0)
        provision(A)
        retire(A)
    assert platform.to_schemas(A).code == 0
    assert len(platform.rows(A, A)["stripe_charge"]) == 3
    assert platform.execute("SELECT state FROM tenants_merchant WHERE schema_name = %s", A) == [
        ("retired",)
    ]
    with platform.served():
        moved.call_command("tenants_retire", A, "drop", "--yes")
    said = platform.to_schemas(A)
    assert (said.code, "was dropped" in said.err) == (1, True)
    assert not platform.tables(A)


def test_it_is_run_under_the_settings_of_what_it_leads_to(platform, settings):
    said = platform.under_rows("-m", "django", "tenants_move", "--to", "schemas")
    assert said.code == 1
    assert "TENANTS_ISOLATION is 'rows'" in said.err
    with pytest.raises(moved.CommandError, match="no account's id"):
        moved.call_command("tenants_move", "nobody", "--to", "schemas")
    with pytest.raises(moved.CommandError, match="settings of what it leads to, 'rows'"):
        moved.call_command("tenants_move", "--to", "rows")


def test_nothing_is_dropped_without_a_yes(in_schemas, monkeypatch):
    said = in_schemas.to_schemas("--drop")
    assert (said.err, said.code) == ("What is dropped is gone. Say --yes.", 1)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    answers = ["no", "yes"]
    monkeypatch.setattr("builtins.input", lambda question: answers.pop(0))
    said = in_schemas.to_schemas("--drop")
    assert (said.err, said.code) == ("Nothing is dropped.", 1)
    assert len(in_schemas.rows("public", A)["stripe_charge"]) == 3
    assert in_schemas.to_schemas("--drop").code == 0
    assert "stripe_charge" not in in_schemas.tables("public")


def test_many_are_moved_with_progress(platform, monkeypatch):
    monkeypatch.setattr("connect.progress.LINE_EVERY_SECONDS", 0.0)
    assert "accounts moved: 1 of 4" in platform.to_schemas().out
