"""Rows: eight workers ask for eight merchants' charges through whatever keeps connections, and get no others."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import OperationalError

import connect
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS
from tests import plugin
from tests.tenants.conftest import databases
from tests.tenants.poolers import shop
from tests.tenants.poolers.pgbouncer import BACKENDS_MAX, pooled
from tests.tenants.poolers.traffic import REQUESTS, by_processes, by_tasks, by_threads

PERSISTENT = {"CONN_MAX_AGE": None}
POOL = {"OPTIONS": {"pool": {"min_size": 4, "max_size": 4, "timeout": 60}}}
THROUGH_TRANSACTIONS = PERSISTENT | {"DISABLE_SERVER_SIDE_CURSORS": True}


@pytest.fixture
def eight(serving):
    shop.fill()
    return serving


@pytest.fixture
def by_time(eight, settings):
    """Signatures that are good on any connection, for a short time."""
    settings.TENANTS_RLS_BINDING = "time"
    call_command("tenants_rls", "install", verbosity=0)
    yield eight
    settings.TENANTS_RLS_BINDING = "backend"
    call_command("tenants_rls", "install", verbosity=0)


def found():
    return [message.id for message in run_checks(databases=[ALIAS])]


def assert_all_right(name, tally):
    plugin.report(f"rows, {name}: {tally}")
    assert tally.wrong == []
    assert tally.failed == []
    assert tally.requests == tally.right + tally.broken_off == REQUESTS
    assert tally.broken_off > REQUESTS / 10


def assert_shared(tally, backends_max):
    """There were few connections, and one of them served everybody: otherwise nothing would have been shown."""
    assert len(tally.accounts_by_backend) <= backends_max
    assert {*shop.MERCHANTS, ""} in map(set, tally.accounts_by_backend.values())


@pytest.mark.parametrize(
    ("options", "send", "backends_max"),
    [
        (PERSISTENT, by_threads, 8),
        (POOL, by_threads, 4),
        (POOL, by_tasks, 4),
    ],
    ids=["threads", "threads and the pool of psycopg", "tasks and the pool of psycopg"],
)
def test_who_shares_connections_gets_no_answer_of_anothers(
    eight, request, options, send, backends_max
):
    with databases(**{ALIAS: eight.entry(eight.role, **options)}):
        assert found() == []
        tally = send()
    assert_all_right(request.node.callspec.id, tally)
    assert_shared(tally, backends_max)


def test_tasks_that_connect_for_each_request_get_no_answer_of_anothers(eight):
    with databases(**{ALIAS: eight.entry(eight.role)}):
        assert found() == []
        assert_all_right("tasks", by_tasks())


@pytest.mark.parametrize("send", [by_threads, by_processes, by_tasks])
def test_behind_pgbouncer_nobody_gets_an_answer_of_anothers(by_time, send):
    options = THROUGH_TRANSACTIONS
    if send is by_tasks:
        options = options | {"CONN_MAX_AGE": 0}
    with (
        pooled(by_time.entry(by_time.role, **options)) as entry,
        databases(**{ALIAS: entry}),
    ):
        assert found() == []
        tally = send()
    assert_all_right(f"{send.__name__} and pgbouncer", tally)
    assert_shared(tally, BACKENDS_MAX)


def test_without_the_wall_the_count_is_of_wrong_answers(eight, settings):
    settings.TENANTS_ISOLATION = None
    with databases(**{ALIAS: eight.entry(eight.owner) | eight.superuser | {"NAME": eight.name}}):
        tally = by_threads(100)
    assert tally.right == 0
    assert tally.wrong


def test_signatures_that_name_a_backend_are_refused_behind_pgbouncer_and_show_nothing(eight):
    with (
        pooled(eight.entry(eight.role, **THROUGH_TRANSACTIONS)) as entry,
        databases(**{ALIAS: entry}),
    ):
        assert found() == ["tenants.E006"]
        for account in shop.MERCHANTS:
            with connect.account(account):
                assert shop.by_orm() == shop.by_cursor() == shop.in_transaction() == []
                assert shop.by_executemany() == 0
                with pytest.raises(Exception, match="row-level security"):
                    Charge.objects.create(connect_account_id=account, stripe_id="ch_new")


def test_cursors_in_the_server_are_refused_behind_pgbouncer(by_time):
    with pooled(by_time.entry(by_time.role)) as entry, databases(**{ALIAS: entry}):
        assert found() == ["tenants.E006"]


def test_statement_mode_is_refused_and_shows_nothing_of_others(by_time):
    entry = by_time.entry(by_time.role, **THROUGH_TRANSACTIONS)
    with pooled(entry, mode="statement") as through, databases(**{ALIAS: through}):
        assert found() == ["tenants.E006"]
        for account in shop.MERCHANTS:
            with connect.account(account):
                assert as_answered(shop.by_orm()) == shop.expected_of(account)["by_orm"]
                with pytest.raises(OperationalError, match="statement pooling mode"):
                    shop.in_transaction()
        assert shop.by_orm() == []


def as_answered(charges):
    return [list(charge) for charge in charges]
