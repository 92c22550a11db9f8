"""What reads one account's rows alone is planned for that account, and finds what it would find else."""

from __future__ import annotations

import psycopg
import pytest
from django.db import Error, connection, transaction
from django.db.models import Exists, OuterRef

import connect
from connect.context import every_account
from django_stripe.charge.models import Charge
from tests.tenants.rows import OWN_OF_A, SEEN_BY_A, A, B

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


def test_a_plan_that_was_made_for_one_account_is_not_run_for_every(serving):
    """A function keeps its plans for the session, whoever calls it next."""
    with psycopg.connect(serving.url, autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION public.charges() RETURNS bigint LANGUAGE plpgsql STABLE AS "
            "'BEGIN RETURN (SELECT count(*) FROM stripe_charge); END'"
        )
        owner.execute("GRANT EXECUTE ON FUNCTION public.charges() TO PUBLIC")
    calls = "SELECT charges() FROM stripe_charge WHERE connect_account_id = '{}' LIMIT 1"
    try:
        with connect.account(A):
            assert found(f"{calls.format(A)} /*for_account stripe_charge*/") == {len(OWN_OF_A)}
        with connect.account(B):
            assert found("SELECT charges()") == {3}
        assert found("SELECT charges()") == {0}
        with (
            every_account(),
            pytest.raises(Error, match="was made for one account"),
            transaction.atomic(),
        ):
            found("SELECT charges()")
    finally:
        with psycopg.connect(serving.url, autocommit=True) as owner:
            owner.execute("DROP FUNCTION public.charges()")
