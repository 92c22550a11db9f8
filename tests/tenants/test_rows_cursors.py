"""Every way of sending SQL carries the account, with each statement, and leaves none behind."""

from __future__ import annotations

from contextlib import nullcontext

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import sql

import connect
from connect.context import every_account
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS
from tests.tenants.conftest import OWNER_ALIAS, databases
from tests.tenants.rows import OWN_OF_A, SEEN_BY_A, SEEN_BY_B, A, B, every_charge, everything

ALL = "SELECT stripe_id FROM stripe_charge"

either_way = pytest.mark.parametrize(
    "in_transaction", [False, True], ids=["autocommit", "in a transaction"]
)


def block(in_transaction):
    return transaction.atomic() if in_transaction else nullcontext()


def seen(cursor):
    return {row[0] for row in cursor.fetchall()}


def by_execute(cursor):
    cursor.execute(ALL)
    return seen(cursor)


def with_parameters(cursor):
    cursor.execute(ALL + " WHERE amount >= %s AND stripe_id LIKE 'ch%%'", [0])
    return seen(cursor)


def with_names(cursor):
    cursor.execute(ALL + " WHERE amount >= %(least)s", {"least": 0})
    return seen(cursor)


def composed(cursor):
    cursor.execute(sql.SQL("SELECT stripe_id FROM {}").format(sql.Identifier("stripe_charge")))
    return seen(cursor)


def in_bytes(cursor):
    cursor.execute(ALL.encode())
    return seen(cursor)


def in_several_statements(cursor):
    cursor.execute(f"SELECT 1; {ALL}")
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    return seen(cursor)


def by_copy(cursor):
    with cursor.copy(f"COPY ({ALL}) TO STDOUT") as copy:
        return {row[0] for row in copy.rows()}


def by_stream(cursor):
    return {row[0] for row in cursor.stream(ALL)}


def by_iteration(cursor):
    cursor.execute(ALL)
    return {row[0] for row in cursor}


def past_django(cursor):
    return {row[0] for row in connection.connection.execute(ALL)}


def named_past_django(cursor):
    with connection.connection.cursor(name="mine", withhold=True) as named:
        return {row[0] for row in named.execute(ALL)}


def in_a_pipeline(cursor):
    with connection.connection.pipeline(), connection.connection.cursor() as mine:
        mine.execute(ALL)
        return seen(mine)


def by_a_held_cursor(cursor):
    with connection.chunked_cursor() as chunked:
        chunked.execute(ALL)
        return {row[0] for row in chunked}


def by_a_function(cursor):
    cursor.callproc("ids_of_charges")
    return seen(cursor)


WAYS = [
    by_execute,
    with_parameters,
    with_names,
    composed,
    in_bytes,
    in_several_statements,
    by_copy,
    by_stream,
    by_iteration,
    past_django,
    named_past_django,
    in_a_pipeline,
    by_a_held_cursor,
    by_a_function,
]


@pytest.fixture
def site(serving):
    serving.execute(
        "CREATE OR REPLACE FUNCTION ids_of_charges() RETURNS SETOF varchar LANGUAGE sql STABLE"
        " BEGIN ATOMIC SELECT stripe_id FROM stripe_charge; END"
    )
    yield serving
    serving.execute("DROP FUNCTION ids_of_charges")


OPTIONS = {
    "client": {},
    "server": {"server_side_binding": True},
    "prepared": {"server_side_binding": True, "prepare_threshold": 0},
}

# Where the server binds the parameters, a message has one statement.
EACH = [
    (binding, way)
    for binding in OPTIONS
    for way in WAYS
    if binding == "client" or way is not in_several_statements
]


@either_way
@pytest.mark.parametrize(
    ("binding", "way"), EACH, ids=lambda value: getattr(value, "__name__", value)
)
def test_a_way_to_send_sql_carries_the_account(site, way, in_transaction, binding):
    # In one transaction and on one connection: each is gone when the next begins.
    with (
        databases(**{ALIAS: site.entry(site.role, OPTIONS=OPTIONS[binding])}),
        block(in_transaction),
        connection.cursor() as cursor,
    ):
        with every_account():
            assert len(way(cursor)) == 8
        assert way(cursor) == set()
        with connect.account(A):
            assert way(cursor) == SEEN_BY_A
        with connect.account(B):
            assert way(cursor) == SEEN_BY_B
        assert way(cursor) == set()


@either_way
def test_executemany_carries_the_account(serving, in_transaction):
    before = everything(serving.url)
    update = "UPDATE stripe_charge SET origin = %s WHERE stripe_id = %s"
    with block(in_transaction), connection.cursor() as cursor:
        cursor.executemany(update, [("x", "ch_b1"), ("x", "ch_a1")])
        assert cursor.rowcount == 0
        with connect.account(A):
            cursor.executemany(update, [("x", "ch_b1"), ("y", "ch_both")])
            assert cursor.rowcount == 1
    after = everything(serving.url)
    assert [r for r in after["Charge"] if r[1] == B] == [r for r in before["Charge"] if r[1] == B]
    assert after != before


def test_a_cursor_in_the_server_keeps_what_it_was_declared_for(serving):
    with connect.account(A):
        charges = Charge.objects.order_by("stripe_id").iterator(chunk_size=1)
        first = next(charges)
    with connect.account(B):
        rest = list(charges)
    assert {charge.stripe_id for charge in [first, *rest]} == SEEN_BY_A


def test_a_savepoint_rolled_back_leaves_the_account_of_the_context(serving):
    with transaction.atomic():
        with connect.account(B):
            Charge.objects.count()
        with connect.account(A):
            with pytest.raises(IntegrityError), transaction.atomic():
                Charge.objects.create(connect_account_id=A, stripe_id="ch_a1")
            assert Charge.objects.count() == len(SEEN_BY_A)
        assert Charge.objects.count() == 0


def test_an_error_leaves_nothing_to_the_next_statement(serving):
    with connect.account(A), pytest.raises(Error), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert Charge.objects.count() == 0
    with connect.account(B):
        assert set(Charge.objects.values_list("stripe_id", flat=True)) == SEEN_BY_B


def test_a_failed_transaction_can_be_ended_by_hand(serving):
    with connect.account(A):
        transaction.set_autocommit(False)
        try:
            with pytest.raises(Error), connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            assert Charge.objects.count() == len(SEEN_BY_A)
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)


def test_what_cannot_run_in_a_transaction_still_runs(serving):
    with connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("CREATE INDEX CONCURRENTLY extra ON stripe_charge (origin)")
        cursor.execute("  drop index concurrently extra")
        cursor.execute("VACUUM stripe_charge")


def test_the_signature_is_in_no_log_of_queries_and_in_no_error(serving):
    with connect.account(A), CaptureQueriesContext(connection) as queries:
        Charge.objects.count()
        list(Charge.objects.filter(stripe_id="ch_a1"))
        with pytest.raises(Error) as caught, connection.cursor() as cursor:
            cursor.execute("SELECT nothing")
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"] * 3
    told = str([*queries, caught.value, caught.value.__cause__])
    assert "nothing" in told
    assert "connect.account" not in told
    assert "acct_A" not in told


def test_rows_are_counted_of_the_statement_alone(serving):
    with connect.account(A), connection.cursor() as cursor:
        cursor.execute("UPDATE stripe_charge SET origin = '' WHERE connect_account_id = %s", [A])
        assert cursor.rowcount == len(OWN_OF_A)
        assert cursor.description is None
        assert not cursor.nextset()


def test_an_id_that_is_none_is_refused_before_it_is_sent(serving):
    for forged in ("acct_A', true); SELECT 1; --", "*", "acct_A x", "acct_Ä"):
        with connect.account(forged), pytest.raises(ValueError, match="cannot be the account"):
            Charge.objects.count()


def test_a_superuser_does_not_serve_an_account(serving):
    with databases(**{ALIAS: serving.superuser | {"NAME": serving.name}}):
        assert Charge.objects.count() == 9, "as a superuser one looks at everything"
        with connect.account(A), pytest.raises(ImproperlyConfigured, match="superuser"):
            Charge.objects.count()


def test_the_owner_of_the_tables_is_held_too_where_he_serves(serving, settings):
    settings.TENANTS_RLS_OWNER = None
    with databases(**{ALIAS: serving.entry(serving.owner)}):
        assert Charge.objects.count() == 0
        with connect.account(A):
            assert set(Charge.objects.values_list("stripe_id", flat=True)) == SEEN_BY_A


def test_a_migration_by_its_owner_reaches_every_row(serving):
    with transaction.atomic(OWNER_ALIAS):
        assert Charge.objects.using(OWNER_ALIAS).update(origin="moved") == 9
        with connect.account(A):
            assert Charge.objects.using(OWNER_ALIAS).count() == len(SEEN_BY_A)


def test_a_parallel_plan_counts_what_one_process_would(serving):
    eager = "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0;"
    eager += "SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL debug_parallel_query = on"
    with transaction.atomic(), connection.cursor() as cursor, connect.account(A):
        if connection.pg_version < 160000:
            eager = eager.replace("debug_parallel_query", "force_parallel_mode")
        cursor.execute(eager)
        assert Charge.objects.count() == len(SEEN_BY_A)
        union = "SELECT count(*) FROM (SELECT id FROM stripe_charge UNION ALL SELECT id FROM stripe_charge) t"
        cursor.execute(union)
        assert cursor.fetchone() == (2 * len(SEEN_BY_A),)
        # A parallel worker's backend is another, for which nothing is signed.
        cursor.execute("SELECT DISTINCT tenants_rls.account() FROM auth_permission")
        assert cursor.fetchall() == [(A,)]


def test_raw_connections_say_nothing(serving):
    with psycopg.connect(serving.url, user=serving.role, password=serving.password) as raw:
        assert raw.execute("SELECT count(*) FROM stripe_charge").fetchone() == (0,)
    assert every_charge() == 9


def test_a_savepoint_gives_no_account_back(serving):
    """What is rolled back to was made by somebody who reached more."""
    with transaction.atomic(), every_account(), transaction.atomic():
        assert Charge.objects.count() == 9
        made = connection.savepoint_ids[-1]
        with connect.account(A), connection.cursor() as cursor:
            cursor.execute(f'SELECT 1; ROLLBACK TO SAVEPOINT "{made}"; {ALL}')
            assert cursor.nextset()
            assert cursor.nextset()
            assert seen(cursor) == SEEN_BY_A
