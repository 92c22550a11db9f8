"""What a platform has moves to schemas and back: all of it, once, and with the proof that it arrived."""

from __future__ import annotations

import itertools
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

import connect
from django_stripe.charge.models import Charge
from django_stripe.mirroring import mirror
from django_stripe.ordering import supersedes
from django_stripe.upsert import Row
from tenants.copying import SUPERSEDES
from tenants.merchants.models import Merchant
from tenants.provisioning import provision, retire
from tests.tenants.rows import A, B, snapshot
from tests.tenants.schemas import moved
from tests.tenants.schemas.moved import ACCOUNTS, C

KILLED = """
import os, signal, django
django.setup()
from django.core.management import call_command
from tenants import moving
"""


@pytest.fixture(scope="session")
def origin(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), moved.made() as platform:
        yield platform


@pytest.fixture
def platform(origin, django_db_blocker):
    """A platform with row-level security, the rows of three merchants, and its own."""
    with django_db_blocker.unblock(), moved.copied(origin) as platform:
        yield platform


@pytest.fixture(scope="session")
def origin_in_schemas(origin):
    with moved.copied(origin) as platform:
        assert platform.to_schemas().code == 0
        yield platform


@pytest.fixture
def in_schemas(origin_in_schemas, django_db_blocker):
    """The same, moved, and its source still there."""
    with django_db_blocker.unblock(), moved.copied(origin_in_schemas) as platform:
        yield platform


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


def test_killed_in_the_middle_it_goes_on_where_it_was(platform):
    before = platform.all_rows(of_rows=True)
    script = f"""{KILLED}
copy = moving.copy
def killed(cursor, table, account):
    count = copy(cursor, table, account)
    if account == {B!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return count
moving.copy = killed
call_command("tenants_move", "--to", "schemas")
"""
    said = platform.under_schemas(script)
    assert said.code == -signal.SIGKILL, said.err
    assert platform.rows(A, A) == before[A]
    assert not platform.tables(B) | platform.tables(C)
    said = platform.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert [line.split(":")[0] for line in said.out.splitlines() if "rows moved" in line] == [B, C]
    assert platform.all_rows(of_rows=False) == before


def test_killed_before_the_merchant_is_opened_it_is_opened_the_next_time(platform):
    script = f"""{KILLED}
moving.provision = lambda account: os.kill(os.getpid(), signal.SIGKILL)
call_command("tenants_move", "--to", "schemas", {A!r})
"""
    assert platform.under_schemas(script).code == -signal.SIGKILL
    assert platform.execute("SELECT * FROM tenants_merchant") == []
    said = platform.to_schemas(A)
    assert (said.err, said.code) == ("", 0)
    assert "rows moved" not in said.out
    assert platform.execute("SELECT schema_name, state FROM tenants_merchant") == [(A, "ready")]


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


def test_the_wall_hides_nothing_from_its_owner_and_stands_afterwards(platform):
    forced = "SELECT relname FROM pg_class WHERE relforcerowsecurity ORDER BY 1"
    before = platform.execute(forced)
    assert ("stripe_charge",) in before
    with psycopg.connect(platform.url_of(platform.owner)) as owner:
        assert owner.execute("SELECT count(*) FROM stripe_charge").fetchone() == (0,)
    assert platform.to_schemas().code == 0
    assert len(platform.rows(A, A)["stripe_charge"]) == 3
    assert platform.execute(forced) == before


def test_a_wall_that_schemas_could_not_look_behind_is_to_be_taken_down_first(platform):
    assert platform.under_rows("-m", "django", "tenants_rls", "install").code == 0
    said = platform.to_schemas()
    assert said.code == 1
    assert "in public.connect_" in said.err
    assert "tenants_rls uninstall first" in said.err
    assert not platform.tables(A) | platform.tables("platform")


def test_whom_the_wall_hides_rows_from_is_refused(in_schemas):
    platform = in_schemas
    with platform.served(platform.role), pytest.raises(moved.CommandError, match="hides rows of"):
        moved.call_command("tenants_move", "--to", "schemas", "--verify")
    # One table is another's, whose policies hold this owner too: there is nothing to lift.
    platform.execute("ALTER TABLE public.stripe_charge NO FORCE ROW LEVEL SECURITY")
    platform.execute("ALTER TABLE public.stripe_charge OWNER TO CURRENT_USER")
    platform.execute(f'GRANT SELECT ON public.stripe_charge TO "{platform.owner}"')
    said = platform.to_schemas("--verify")
    assert said.code == 1
    assert "hides rows of public.stripe_charge from this role" in said.err
    platform.execute(f'ALTER TABLE public.stripe_charge OWNER TO "{platform.owner}"')
    assert platform.to_schemas("--verify").code == 0


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


def test_a_later_state_in_the_target_is_never_overwritten(platform):
    """The site serves the merchant already: events came in before the rows that they are about."""
    day = timedelta(days=1)
    with platform.served():
        moved.call_command("tenants_migrate", verbosity=0)
        provision(A)
        later, earlier = snapshot(A, "ch_a1", 777), snapshot(A, "ch_a2", 888)
        tie = snapshot(A, "ch_both", 999)
        with connect.account(A):
            mirror(
                [
                    _event(later, later.as_of + day),
                    _event(earlier, earlier.as_of - day),
                    replace(tie, requested_at=None, event_id="evt_tie", origin="event"),
                    snapshot(A, "ch_new", 1),
                ]
            )
    said = platform.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert platform.charge(A, "ch_a1", "amount, settle_at") == (777, None)
    assert platform.charge(A, "ch_a2", "amount, settle_at") == (3, None)
    amount, settle_at = platform.charge(A, "ch_both", "amount, settle_at")
    assert (amount, settle_at is None) == (999, False)
    assert len(platform.rows(A, A)["stripe_charge"]) == 4
    said = platform.to_schemas("--verify")
    assert (said.err, said.code) == ("", 0)


def test_what_comes_in_after_the_move_is_no_difference(in_schemas):
    later = snapshot(A, "ch_a1", 777)
    with in_schemas.served(), connect.account(A):
        mirror([_event(later, later.as_of + timedelta(days=1)), snapshot(A, "ch_new")])
    for way in ((), ("--verify",), ("--drop", "--yes")):
        said = in_schemas.to_schemas(*way)
        assert (said.err, said.code) == ("", 0)
    assert in_schemas.charge(A, "ch_a1", "amount") == (777,)
    assert len(in_schemas.rows(A, A)["stripe_charge"]) == 4


def test_what_is_still_written_into_the_source_is_not_dropped_but_moved_the_next_time(in_schemas):
    in_schemas.execute("UPDATE stripe_charge SET stripe_id = 'ch_late' WHERE stripe_id = 'ch_b1'")
    said = in_schemas.to_schemas("--drop", "--yes")
    assert said.code == 1
    assert said.err.startswith(f"{B}: It is not moved, or somebody wrote into its source since")
    said = in_schemas.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert f"{B}: 1 rows moved" in said.out
    assert len(in_schemas.rows(B, B)["stripe_charge"]) == 4
    assert in_schemas.charge(B, "ch_late", "id") > in_schemas.charge(B, "ch_b1", "id")
    assert in_schemas.to_schemas("--drop", "--yes").code == 0


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


def test_rows_that_are_nobodys_are_named_and_stay(platform):
    platform.execute("INSERT INTO orders_order (number) VALUES ('1')")
    said = platform.to_schemas()
    assert said.code == 0
    assert "NOT moved, for they have no connect_account_id: the rows of orders_order" in said.err
    said = platform.to_schemas("--drop", "--yes")
    assert "keeps what has rows: orders_order" in said.err
    assert platform.tables("public") >= {"orders_order"}
    assert not platform.tables("public") & {"stripe_charge"}
    platform.execute(f"INSERT INTO \"{A}\".orders_order (number) VALUES ('2')")
    said = platform.to_rows()
    assert said.code == 0
    assert f"the rows of {A}.orders_order" in said.err
    said = platform.to_rows("--drop", "--yes")
    assert said.code == 1
    assert said.err.startswith(f"CommandError: {A}: orders_order in {A} have rows")
    assert platform.tables(A)
    assert not platform.tables(B)


OWN = """
CREATE TABLE {0}.note (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    connect_account_id text NOT NULL, text text NOT NULL, number int NOT NULL {1});
ALTER TABLE {0}.note OWNER TO {2};
"""


def own_tables(platform, unique):
    for schema in ("public", A, B):
        names = sql.Identifier(schema), sql.SQL(unique), sql.Identifier(platform.owner)
        platform.execute(sql.SQL(OWN).format(*names))


def note(platform, schema, account, text, number=1):
    platform.execute(
        sql.SQL(
            "INSERT INTO {}.note (connect_account_id, text, number) VALUES (%s, %s, %s)"
        ).format(sql.Identifier(schema)),
        account, text, number,
    )  # fmt: skip


def notes(platform, schema):
    return platform.execute(
        sql.SQL("SELECT id, connect_account_id, text FROM {}.note ORDER BY id").format(
            sql.Identifier(schema)
        )
    )


def test_a_table_of_ones_own_moves_and_what_differs_is_left_alone_and_named(in_schemas):
    own_tables(in_schemas, ", UNIQUE (connect_account_id, number)")
    for schema, account in ((A, A), (B, B)):
        note(in_schemas, schema, account, "first")
    note(in_schemas, "public", B, "of rows")
    said = in_schemas.to_rows()
    assert said.code == 1
    assert said.err == f"CommandError: {B}: note: 0 rows missing, 1 that differ\n"
    # One and the same id, in two schemas.
    assert notes(in_schemas, "public") == [(1, B, "of rows"), (2, A, "first")]
    in_schemas.execute("DELETE FROM public.note WHERE connect_account_id = %s", B)
    assert in_schemas.to_rows(B).code == 0
    assert [row[1:] for row in notes(in_schemas, "public")] == [(B, "first"), (A, "first")]


@pytest.mark.parametrize("unique", ["", ", UNIQUE (connect_account_id, number)"])
def test_an_id_that_others_may_refer_to_is_kept_or_the_account_is_named(in_schemas, unique):
    own_tables(in_schemas, unique)
    if unique:
        for schema in ("public", A, B):
            in_schemas.execute(
                f'ALTER TABLE "{schema}".note ADD about bigint REFERENCES "{schema}".note'
            )
    note(in_schemas, A, A, "first")
    note(in_schemas, B, B, "first")
    said = in_schemas.to_rows()
    assert said.code == 1
    assert f"{B}: " in said.err
    assert f"{A}: " not in said.err
    assert notes(in_schemas, "public") == [(1, A, "first")]


def test_a_table_without_a_key_and_one_with_other_columns_stop_their_account(in_schemas):
    own_tables(in_schemas, "")
    in_schemas.execute("ALTER TABLE public.note DROP CONSTRAINT note_pkey")
    assert "note has no key" in in_schemas.to_rows(A).err
    in_schemas.execute(f'ALTER TABLE "{A}".note ADD more int')
    assert f"the columns more of {A} and public differ" in in_schemas.to_rows(A).err
    in_schemas.execute(f'CREATE TABLE "{A}".other (LIKE "{A}".note)')
    assert "The schema public has no other." in in_schemas.to_rows(A).err


def test_tables_of_which_a_part_is_there_are_not_made(in_schemas):
    platform = in_schemas
    assert platform.to_schemas("--drop", "--yes").code == 0
    platform.execute("DROP TABLE auth_user_groups")
    said = platform.to_rows()
    assert said.code == 1
    assert "lacks other tables of its app" in said.err
    assert "stripe_charge" not in platform.tables("public")


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


def test_the_rule_in_sql_is_the_mirrors_rule(truth):
    """Over all that two states can be to each other."""
    began = datetime(2024, 1, 1, tzinfo=UTC)
    first, second, third = (began + timedelta(seconds=n) for n in range(3))
    states = [
        Row(as_of, requested_at, received_at, event_id, None, since, False, "")
        for as_of, requested_at, received_at, event_id, since in itertools.product(
            [second, third], [None, first, third], [second, third], ["", "evt_1"], [None, first]
        )
        if requested_at is None or requested_at <= received_at
    ]
    truth(
        "CREATE TEMP TABLE state (n int, as_of timestamptz, requested_at timestamptz,"
        " received_at timestamptz, event_id text, decided_since timestamptz)"
    )
    with truth.connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO state (n, as_of, requested_at, received_at, event_id, decided_since)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (n, s.as_of, s.requested_at, s.received_at, s.event_id, s.decided_since)
                for n, s in enumerate(states)
            ],
        )
    answers = truth(
        f"SELECT {SUPERSEDES.format(new='s', old='t')} FROM state s, state t ORDER BY s.n, t.n"
    )
    wanted = [supersedes(new, old) is True for new, old in itertools.product(states, states)]
    assert [answer for (answer,) in answers] == wanted
    assert set(wanted) == {True, False}


def _event(value, at):
    """The state as an event told it at a time."""
    return replace(
        value, as_of=at, requested_at=None, event_id=f"evt_{value.stripe_id}", origin="event"
    )
