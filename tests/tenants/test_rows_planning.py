"""What reads one account's rows alone is planned for that account, and finds what it would find else."""

from __future__ import annotations

import psycopg
import pytest
from django.db import Error, connection, transaction
from django.db.models import Count, Exists, OuterRef
from django.db.models.expressions import RawSQL

import connect
from connect.context import every_account
from django_stripe.charge.models import Charge
from tenants.wall import carry
from tests.tenants.rows import OWN_OF_A, SEEN_BY_A, A, B, every_charge

OF_ONE = "SELECT stripe_id FROM stripe_charge WHERE connect_account_id = '{}' /*for_account stripe_charge*/"


def ids(rows):
    return {row.stripe_id for row in rows}


def found(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return {row[0] for row in cursor.fetchall()}


def test_the_account_is_compared_once_and_no_row_is_looked_at_for_it(serving):
    with connect.account(A):
        plan = Charge.objects.for_account(A).explain()
        assert "One-Time Filter" in plan
        assert "on_behalf_of" not in plan
        assert ids(Charge.objects.for_account(A)) == OWN_OF_A


def test_what_may_be_about_more_is_planned_for_all_that_it_reaches(serving):
    of_a = Charge.objects.for_account(A)
    with connect.account(A):
        for rows in (Charge.objects.all(), Charge.objects.for_merchant(A)):
            plan = rows.explain()
            assert "One-Time Filter" not in plan
            assert "on_behalf_of" in plan
            assert ids(rows) == SEEN_BY_A
        same = Charge.objects.filter(stripe_id="ch_for_a")
        assert ids(of_a | same) == SEEN_BY_A
        assert ids(of_a.union(same)) == SEEN_BY_A
        assert ids(of_a.filter(Exists(same))) == OWN_OF_A
        named = Charge.objects.filter(connect_account_id="", stripe_id=OuterRef("stripe_id"))
        assert ids(Charge.objects.filter(Exists(named))) == {"ch_for_a"}


def test_in_anothers_context_nothing_is_found(serving):
    with connect.account(B):
        assert not Charge.objects.for_account(A).exists()
        assert found(OF_ONE.format(A)) == set()
    assert found(OF_ONE.format(A)) == set()
    assert not Charge.objects.for_account(A).exists()
    with every_account():
        assert ids(Charge.objects.for_account(A)) == OWN_OF_A


def test_whoever_says_so_falsely_sees_less_and_not_more(serving):
    with connect.account(A):
        assert (
            found("SELECT stripe_id FROM stripe_charge /*for_account stripe_charge*/") == OWN_OF_A
        )
        assert found(OF_ONE.format(f"{A}' OR true OR '{B}' = '")) == OWN_OF_A


def test_a_value_does_not_say_so(serving):
    text = "*//*for_account stripe_charge*/"
    with connect.account(A):
        assert Charge.objects.for_merchant(A).exclude(origin=text).count() == len(SEEN_BY_A)
        assert Charge.objects.exclude(origin=text).count() == len(SEEN_BY_A)
        named = Charge.objects.exclude(origin=text).values_list("stripe_id").iterator()
        assert {stripe_id for (stripe_id,) in named} == SEEN_BY_A
    with every_account():
        assert Charge.objects.exclude(origin=text).count() == every_charge()


def test_in_whatever_way_it_is_written_a_table_that_is_read_again_is_found(serving):
    with connect.account(A):
        for name in ("stripe_charge", "STRIPE_CHARGE", 'U&"stripe\\005fcharge"'):
            count = RawSQL(f"(SELECT count(*) FROM {name})", ())  # noqa: S611 - our own
            counted = Charge.objects.for_account(A).annotate(n=count)
            assert set(counted.values_list("n", flat=True)) == {len(SEEN_BY_A)}


@pytest.mark.parametrize("language", ["plpgsql", "sql"])
def test_what_a_function_runs_is_planned_for_all_that_it_reaches(serving, language):
    """It keeps its plans for the session, whoever calls it next."""
    bodies = {
        "plpgsql": "BEGIN RETURN (SELECT count(*) FROM stripe_charge); END",
        "sql": "SELECT count(*) FROM stripe_charge",
    }
    calls = Charge.objects.for_account(A).annotate(n=RawSQL("charges()", ()))
    with psycopg.connect(serving.url, autocommit=True) as owner:
        owner.execute(
            f"CREATE FUNCTION public.charges() RETURNS bigint VOLATILE LANGUAGE {language} AS '{bodies[language]}'"
        )
        owner.execute("GRANT EXECUTE ON FUNCTION public.charges() TO PUBLIC")
    try:
        for account in (A, B):
            with connect.account(account):
                assert found("SELECT charges()") == {4}
        with connect.account(A):
            assert set(calls.values_list("n", flat=True)) == {len(SEEN_BY_A)}
        with connect.account(B):
            assert found("SELECT charges()") == {4}
        assert found("SELECT charges()") == {0}
        with every_account():
            assert found("SELECT charges()") == {every_charge()}
    finally:
        with psycopg.connect(serving.url, autocommit=True) as owner:
            owner.execute("DROP FUNCTION public.charges()")


def test_a_plan_that_was_made_for_one_account_is_run_by_nothing_else(serving):
    with connect.account(A), transaction.atomic():
        found("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")
        with connection.cursor() as cursor:
            cursor.execute("PREPARE counted AS SELECT count(*) FROM stripe_charge")
        raw = connection.connection
        said = carry(
            raw, "default", 'SELECT FROM "stripe_charge" /*for_account stripe_charge*/'
        ).comment
        assert raw.pgconn.exec_(said + b"EXECUTE counted").get_value(0, 0) == b"3"
        assert raw.pgconn.exec_(said + b"EXECUTE counted").get_value(0, 0) == b"3"
        for context in (connect.account(A), connect.account(B), every_account()):
            with (
                context,
                pytest.raises(Error, match="one account in stripe_charge"),
                transaction.atomic(),
            ):
                found("EXECUTE counted")
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE counted")


def test_plans_may_be_parallel(serving):
    with every_account(), transaction.atomic():
        for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            found(f"SELECT set_config('{name}', '0', true)")
        assert "Parallel" in Charge.objects.values("currency").annotate(Count("pk")).explain()
        assert Charge.objects.aggregate(n=Count("pk")) == {"n": every_charge()}
