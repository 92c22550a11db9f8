"""What is said for one account is not there for the next: in the same transaction, or on the same connection."""

from __future__ import annotations

import psycopg
import pytest
from django.db import Error, connection, transaction
from django.db.models.expressions import RawSQL

import connect
from connect.context import every_account
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS
from tests.tenants.conftest import databases
from tests.tenants.rows import SEEN_BY_A, SEEN_BY_B, A, B

ALL = "SELECT stripe_id FROM stripe_charge"
SETTING = "SELECT said FROM current_setting('connect.account', true) AS said WHERE said <> ''"
OF_TWO_TABLES = f"{ALL} UNION ALL SELECT stripe_id FROM stripe_customer"


def run(sql):
    """Run `sql`, as it may be injected; return the rows of its last statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        while cursor.nextset():
            pass
        return cursor.fetchall() if cursor.description else []


def by_iteration():
    return list(Charge.objects.iterator(chunk_size=1))


def by_executemany():
    with connection.cursor() as cursor:
        cursor.executemany("SELECT %s", [(1,), (2,)])


def by_copy():
    with connection.cursor() as cursor, cursor.copy(f"COPY ({ALL}) TO STDOUT") as copy:
        return list(copy.rows())


def by_stream():
    with connection.cursor() as cursor:
        return list(cursor.stream(ALL))


def by_stream_left_early():
    with connection.cursor() as cursor:
        return next(cursor.stream(ALL))


def by_an_error_of_ours():
    def numbers():
        yield (1,)
        raise ZeroDivisionError

    with connection.cursor() as cursor, pytest.raises(ZeroDivisionError):
        cursor.executemany("SELECT %s", numbers())


def by_an_error_of_postgresql():
    with connection.cursor() as cursor, pytest.raises(Error), transaction.atomic():
        cursor.executemany("SELECT 1 / %s", [(1,), (0,)])


def by_an_error_in_a_fetch():
    charges = Charge.objects.annotate(x=RawSQL("1 / (amount - amount)", ()))
    with pytest.raises(Error), transaction.atomic():
        list(charges.iterator())


def by_scrolling():
    with connection.connection.cursor(name="scrolling", scrollable=True) as cursor:
        cursor.execute(ALL)
        cursor.scroll(2)
        return cursor.fetchone()


def in_a_pipeline():
    with connection.connection.pipeline(), connection.cursor() as cursor:
        cursor.executemany("SELECT %s", [(1,), (2,)])


SAID_APART = pytest.mark.parametrize(
    "work",
    [
        by_iteration,
        by_executemany,
        by_copy,
        by_stream,
        by_stream_left_early,
        by_an_error_of_ours,
        by_an_error_of_postgresql,
        by_an_error_in_a_fetch,
        by_scrolling,
        in_a_pipeline,
    ],
)


@SAID_APART
def test_a_signature_is_not_left_for_the_next_account_of_the_transaction(serving, work):
    with transaction.atomic():
        with every_account(), transaction.atomic():
            work()
        with connect.account(A):
            assert run(SETTING) == []


@SAID_APART
def test_what_is_held_to_the_end_of_the_transaction_gets_nothing_of_others(serving, work):
    """PostgreSQL runs it at the COMMIT, which names no account."""
    with transaction.atomic():
        with every_account():
            work()
        with connect.account(A):
            run(f"SELECT 1; DECLARE c CURSOR WITH HOLD FOR {ALL}")
    with connect.account(A):
        assert run("FETCH ALL FROM c") == []


@pytest.mark.parametrize("end", ["COMMIT", " end;", b"commit and chain"])
def test_a_commit_by_hand_names_no_account_either(serving, end):
    run("BEGIN")
    with connect.account(A):
        run(f"SELECT 1; DECLARE c CURSOR WITH HOLD FOR {ALL}")
    with every_account():
        run(end)
    with connect.account(A):
        assert run("FETCH ALL FROM c") == []


def test_a_transaction_by_hand_gives_nothing_of_one_account_to_the_next(serving):
    run(" start transaction")
    with connect.account(B):
        assert len(by_iteration()) == len(SEEN_BY_B)
    with connect.account(A):
        assert run(SETTING) == []


@pytest.mark.parametrize("end", ["", "; SELECT 1"])
def test_a_transaction_that_is_begun_in_passing_is_rolled_back_before_others_write_in_it(
    serving, end
):
    """What they wrote would be lost, and a COMMIT of theirs would run what was declared here."""
    begin = f"SELECT 1; BEGIN; DECLARE c CURSOR WITH HOLD FOR {ALL}{end}"
    with connect.account(A), pytest.raises(Error, match="It is rolled back"):
        run(begin)
    with connect.account(B):
        Charge.objects.filter(stripe_id="ch_b1").update(origin="written")
        run("SELECT 1; COMMIT")
    with connect.account(A):
        assert run("SELECT name FROM pg_cursors") == []
    connection.close()
    with connect.account(B):
        assert Charge.objects.get(stripe_id="ch_b1").origin == "written"


def test_a_cursor_in_the_server_is_not_run_for_who_comes_between(serving):
    with (
        transaction.atomic(),
        connection.chunked_cursor() as early,
        connection.chunked_cursor() as late,
    ):
        with connect.account(A):
            early.execute(OF_TWO_TABLES)
            late.execute(OF_TWO_TABLES)
            seen = early.fetchmany(1)  # of the first table: PostgreSQL has not looked at the other
        with connect.account(B):
            by_iteration()
            seen += early.fetchall()
            assert {row[0] for row in late.fetchall()} == SEEN_BY_A | {"cus_a"}
    assert {row[0] for row in seen} == SEEN_BY_A | {"cus_a"}


def test_a_cursor_in_the_server_that_others_declared_shows_what_the_context_reaches(serving):
    with transaction.atomic():
        run(f"DECLARE c CURSOR FOR {ALL}")
        with connect.account(B), connection.connection.cursor(name="c") as cursor:
            assert {row[0] for row in cursor} == SEEN_BY_B


def test_a_plan_that_postgresql_keeps_is_run_for_who_runs_it(serving):
    body = "DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM stripe_charge; RETURN n; END"
    serving.execute(f"CREATE FUNCTION charges() RETURNS bigint LANGUAGE plpgsql AS '{body}'")
    try:
        with connect.account(A):
            run(f"SELECT 1; SET plan_cache_mode = force_generic_plan; PREPARE p AS {ALL}")
        for account, seen in ((A, SEEN_BY_A), (B, SEEN_BY_B)) * 2:
            with connect.account(account):
                assert {row[0] for row in run("EXECUTE p")} == seen
                assert run("SELECT charges()") == [(len(seen),)]
            assert run("EXECUTE p") == []
            assert run("SELECT charges()") == [(0,)]
    finally:
        serving.execute("DROP FUNCTION charges()")


def test_one_s_own_signature_kept_for_the_session_reaches_nobody_without_one(serving):
    in_front = "split_part(substr(current_query(), 19), '*/', 1)"
    with connect.account(A):
        run(f"SELECT 1; SELECT set_config('connect.account', {in_front}, false)")
    assert psycopg.Cursor(connection.connection).execute(ALL).fetchall() == []


@pytest.mark.parametrize("threshold", [0, 1])
def test_nothing_is_prepared_that_others_could_read_or_replace(serving, threshold):
    """As psycopg would under `_pg3_0`: any SQL can put another statement there, for the next account to run."""
    options = {"server_side_binding": True, "prepare_threshold": threshold}
    with databases(**{ALIAS: serving.entry(serving.role, OPTIONS=options)}):
        with connect.account(B), transaction.atomic():
            for _ in range(3):
                Charge.objects.count()
                by_iteration()
                by_executemany()
        with connect.account(A):
            # Django's own, before the connection is the site's.
            others = "statement NOT LIKE '%TimeZone%'"
            assert run(f"SELECT statement FROM pg_prepared_statements WHERE {others}") == []
