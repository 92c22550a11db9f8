"""Schemas: eight workers ask for eight merchants' charges through whatever keeps connections, and get no others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.checks import run_checks
from django.db import ProgrammingError, connection, connections
from django_tenants.utils import schema_context

import connect
from django_stripe.database import ALIAS
from tenants.merchants.models import Merchant
from tenants.provisioning import drop, provision
from tests import plugin
from tests.tenants.conftest import databases
from tests.tenants.poolers import shop
from tests.tenants.poolers.pgbouncer import BACKENDS_MAX, pooled, version
from tests.tenants.poolers.traffic import REQUESTS, by_processes, by_tasks, by_threads

PERSISTENT = {"CONN_MAX_AGE": None}
POOL = {"OPTIONS": {"pool": {"min_size": 4, "max_size": 4, "timeout": 60}}}
WITHOUT_CURSORS = {"DISABLE_SERVER_SIDE_CURSORS": True}

# Newer ones know how to keep apart what PostgreSQL reports.
TRACKING = "track_extra_parameters"


@pytest.fixture(scope="module")
def eight(migrated, django_db_blocker):
    with django_db_blocker.unblock():
        for account in shop.MERCHANTS:
            provision(account)
        shop.fill()
        yield
        for account in shop.MERCHANTS:
            drop(account)
        Merchant.objects.filter(connect_account_id__in=shop.MERCHANTS).delete()
        connection.close()


def entry(**options):
    return connections.settings[ALIAS] | {"NAME": connection.settings_dict["NAME"]} | options


def found():
    return [message.id for message in run_checks(databases=[ALIAS])]


def reported():
    return connection.connection.info.parameter_status("search_path") is not None


def assert_all_right(name, tally, backends_max):
    plugin.report(f"schemas, {name}: {tally}")
    assert tally.wrong == []
    assert tally.failed == []
    assert tally.requests == tally.right + tally.broken_off == REQUESTS
    assert tally.broken_off > REQUESTS / 10
    # There were few connections, and one of them served everybody: otherwise nothing would have been shown.
    if backends_max is not None:
        assert len(tally.accounts_by_backend) <= backends_max
        assert {*shop.MERCHANTS, ""} in map(set, tally.accounts_by_backend.values())


@pytest.mark.parametrize(
    ("options", "send", "backends_max"),
    [
        (PERSISTENT, by_threads, 8),
        ({}, by_tasks, None),
        (POOL, by_threads, 4),
        (POOL, by_tasks, 4),
    ],
    ids=["threads", "tasks", "threads and the pool of psycopg", "tasks and the pool of psycopg"],
)
def test_who_shares_connections_gets_no_answer_of_anothers(
    eight, request, options, send, backends_max
):
    with databases(**{ALIAS: entry(**options)}):
        assert found() == []
        tally = send()
    assert_all_right(request.node.callspec.id, tally, backends_max)


@pytest.mark.parametrize("send", [by_threads, by_processes, by_tasks])
def test_behind_pgbouncer_that_tracks_paths_nobody_gets_an_answer_of_anothers_and_older_ones_are_refused(
    eight, send
):
    age = {"CONN_MAX_AGE": 0 if send is by_tasks else None}
    tracking = {TRACKING: "search_path"} if version() >= (1, 20) else {}
    with (
        pooled(entry(**WITHOUT_CURSORS, **age), **tracking) as through,
        databases(**{ALIAS: through}),
    ):
        connection.ensure_connection()
        assert found() == ([] if tracking and reported() else ["tenants.E014"])
        tally = send()
    assert_all_right(f"{send.__name__} and pgbouncer", tally, BACKENDS_MAX)


def test_cursors_in_the_server_are_refused_behind_pgbouncer(eight):
    with pooled(entry()) as through, databases(**{ALIAS: through}):
        assert "tenants.E015" in found()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("ignored", ["", "options"])
def test_pgbouncer_that_tracks_no_paths_is_refused(eight, mode, ignored):
    with (
        pooled(entry(**WITHOUT_CURSORS), mode, ignore_startup_parameters=ignored) as through,
        databases(**{ALIAS: through}),
    ):
        assert found() == ["tenants.E014"]


@pytest.mark.parametrize("tracked", ["IntervalStyle", "search_path"])
def test_what_is_refused_shows_another_merchant_outside_of_contexts_and_what_is_not_does_not(
    eight, tracked
):
    theirs, own = shop.MERCHANTS[:2]

    def look_at_theirs():
        with schema_context(theirs):
            charges = shop.by_orm()
        connection.close()
        return charges

    tracking = {TRACKING: tracked} if version() >= (1, 20) else {}
    with (
        pooled(entry(**WITHOUT_CURSORS, **PERSISTENT), default_pool_size=1, **tracking) as through,
        databases(**{ALIAS: through}),
        ThreadPoolExecutor(1) as another,
    ):
        with pytest.raises(ProgrammingError, match="stripe_charge"):
            shop.by_orm()
        kept = tracking and tracked == "search_path" and reported()
        assert found() == ([] if kept else ["tenants.E014"])
        charges = another.submit(look_at_theirs).result()
        if kept:
            with pytest.raises(ProgrammingError, match="stripe_charge"):
                shop.by_orm()
        elif tracked != "search_path" or not tracking:
            assert shop.by_orm() == charges != []
        with connect.account(own):
            assert as_answered(shop.by_orm()) == shop.expected_of(own)["by_orm"]


def as_answered(charges):
    return [list(charge) for charge in charges]
