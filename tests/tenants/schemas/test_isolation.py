"""In an account's context there are its rows, whatever asks for them; outside of any there is no table."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from contextvars import copy_context

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import IntegrityError, ProgrammingError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context
from psycopg import sql

import connect
from connect.context import UnknownAccount, every_account
from connect.models import InboxEvent
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS, binary_cursor
from django_stripe.mirroring import mirror
from django_stripe.platform import PLATFORM
from django_stripe.refund.models import Refund
from tests.tenants.rows import A, B, snapshot
from tests.tenants.schemas.conftest import OWN

RAW = "SELECT stripe_id FROM stripe_charge"


def seen():
    return set(Charge.objects.values_list("stripe_id", flat=True))


def raw():
    with connection.cursor() as cursor:
        cursor.execute(RAW)
        return {stripe_id for (stripe_id,) in cursor.fetchall()}


@pytest.mark.parametrize("account", [A, B, PLATFORM])
def test_each_sees_its_own_by_every_way(placed, account):
    own = OWN[account]
    with connect.account(account):
        assert seen() == own
        assert raw() == own
        assert {c.stripe_id for c in Charge.objects.raw("SELECT * FROM stripe_charge")} == own
        assert {c.stripe_id for c in Charge.objects.iterator(chunk_size=1)} == own
        assert set(Charge.objects.for_account(account).values_list("stripe_id", flat=True)) == own
        with binary_cursor() as cursor:
            assert {stripe_id for (stripe_id,) in cursor.execute(RAW).fetchall()} == own
            assert {stripe_id for (stripe_id,) in cursor.stream(RAW)} == own
            with cursor.copy(f"COPY ({RAW}) TO STDOUT") as lines:
                assert {stripe_id for (stripe_id,) in lines.rows()} == own
        with connection.connection.cursor() as cursor, connection.connection.pipeline():
            assert {row[0] for row in cursor.execute(RAW).fetchall()} == own


def test_statements_that_are_sent_many_at_a_time_are_too(placed):
    mark = "UPDATE stripe_charge SET origin = %s WHERE stripe_id = %s"
    with connect.account(A), connection.cursor() as cursor:
        cursor.executemany(mark, [("list", "ch_both"), ("event", "ch_both")])
        with pytest.raises(ProgrammingError), connection.cursor() as other:
            other.execute(mark, ["list"])
        cursor.execute(sql.SQL("SELECT origin FROM {}").format(sql.Identifier("stripe_charge")))
        assert ("event",) in cursor.fetchall()
    with connect.account(B):
        assert not Charge.objects.filter(origin="event").exists()
    with schema_context(B):
        # As it is where no account is entered.
        assert {c.stripe_id for c in Charge.objects.iterator(chunk_size=1)} == OWN[B]
        with connection.cursor() as cursor:
            cursor.executemany(mark, [("event", "ch_b1")])
    with connect.account(B):
        assert Charge.objects.get(origin="event").stripe_id == "ch_b1"


def test_a_statement_is_shown_as_it_was_written(placed):
    with connect.account(A), CaptureQueriesContext(connection) as captured:
        seen()
    assert [query["sql"][:6] for query in captured] == ["SELECT"]


def test_others_cannot_be_asked_for_by_name(placed):
    with connect.account(A):
        assert not Charge.objects.for_account(B).exists()
        assert not Charge.objects.platform().exists()


@pytest.mark.parametrize("context", [nullcontext, every_account])
def test_outside_of_any_account_there_is_no_table_to_fall_back_on(placed, context):
    with context():
        with pytest.raises(ProgrammingError, match="stripe_charge"):
            seen()
        with pytest.raises(ProgrammingError, match="stripe_charge"):
            mirror([snapshot(A, "ch_new")])
        assert Account.objects.count() == 0
        assert InboxEvent.objects.count() == 2


def test_a_table_that_a_merchant_lacks_is_nobody_elses(placed):
    placed(f'ALTER TABLE "{A}".stripe_refund RENAME TO away')
    try:
        with connect.account(A), pytest.raises(ProgrammingError, match="stripe_refund"):
            Refund.objects.exists()
    finally:
        placed(f'ALTER TABLE "{A}".away RENAME TO stripe_refund')


def test_contexts_nest_in_one_transaction_and_across_what_is_rolled_back(placed):
    with transaction.atomic():
        with connect.account(A):
            assert seen() == OWN[A]
            with suppress(ZeroDivisionError), transaction.atomic(), connect.account(B):
                assert seen() == OWN[B]
                raise ZeroDivisionError
            assert raw() == OWN[A]
            with suppress(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT FROM no_such_table")
            assert seen() == OWN[A]
        with pytest.raises(ProgrammingError), transaction.atomic():
            seen()
        assert InboxEvent.objects.count() == 2
    with connect.account(B):
        assert raw() == OWN[B]


def test_what_somebody_sets_on_the_connection_decides_nothing(placed):
    with connect.account(A), connection.cursor() as cursor:
        cursor.execute(f'SET search_path = "{B}"')
        assert raw() == OWN[A]
        with transaction.atomic():
            cursor.execute(f'SET LOCAL search_path = "{B}"')
            assert seen() == OWN[A]


def test_where_no_account_is_entered_django_tenants_has_its_way(placed):
    with transaction.atomic(), schema_context(B):
        assert seen() == OWN[B]
        with connect.account(A):
            assert seen() == OWN[A]
        assert seen() == OWN[B]
    with schema_context(B):
        assert raw() == OWN[B]
    with pytest.raises(ProgrammingError):
        seen()


def test_a_foreign_row_is_refused_by_the_database(placed):
    for foreign in (B, ""):
        with connect.account(A), pytest.raises(IntegrityError, match="tenants_own_rows"):
            Charge.objects.create(connect_account_id=foreign, stripe_id="ch_foreign")
        with connect.account(A), pytest.raises(IntegrityError, match="tenants_own_rows"):
            Charge.objects.update(connect_account_id=foreign)
    with connect.account(PLATFORM), pytest.raises(IntegrityError, match="tenants_own_rows"):
        Charge.objects.create(connect_account_id=A, stripe_id="ch_foreign")
    with connect.account(A), pytest.raises(Exception, match="tenants_own_rows"):
        mirror([snapshot(B, "ch_foreign")])
    assert placed.charges(A) == OWN[A]


def work(account):
    """Look as `account`, between exceptions and in the middle of transactions; return whether all was right."""
    try:
        if account is None:
            with suppress(ProgrammingError):
                seen()
                return False
            return True
        with connect.account(account):
            first = seen()
            with suppress(ZeroDivisionError, IntegrityError), transaction.atomic():
                seen()
                if account == A:
                    raise ZeroDivisionError
                Charge.objects.create(connect_account_id=A, stripe_id="ch_foreign")
            return first == raw() == OWN[account]
    finally:
        connection.close()


@pytest.mark.parametrize(
    "options",
    [
        {"CONN_MAX_AGE": 0},
        {"CONN_MAX_AGE": None},
        {"OPTIONS": {"pool": {"min_size": 1, "max_size": 2, "timeout": 30}}},
        {"OPTIONS": {"pool": {"min_size": 1, "max_size": 1}, "server_side_binding": True}},
    ],
    ids=["closed", "persistent", "pool", "pool of one, bound by the server"],
)
@pytest.mark.parametrize("limit", [True, False], ids=["limited", "set at every cursor"])
def test_threads_that_share_connections_keep_their_accounts(placed, settings, options, limit):
    settings.TENANT_LIMIT_SET_CALLS = limit
    before = connections.settings[ALIAS]
    opened = connections[ALIAS]
    opened.close()
    # Pools are kept by name, which no other test's is.
    name = placed.connection.info.dbname
    connections.settings[ALIAS] = before | options | {"NAME": name}
    del connections[ALIAS]
    try:
        with ThreadPoolExecutor(4) as pool:
            accounts = [A, B, None, B, A, None, PLATFORM] * 10
            assert list(pool.map(work, accounts)) == [True] * len(accounts)
    finally:
        connections[ALIAS].close()
        connections[ALIAS].close_pool()
        del connections[ALIAS]
        connections.settings[ALIAS] = before
        connections[ALIAS] = opened


def test_a_thread_begins_without_an_account_and_may_be_given_one(placed):
    found = []
    with connect.account(A):
        thread = threading.Thread(target=lambda: found.append(work(None)))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(copy_context().run, work, A).result()
    assert found == [True]


def test_tasks_at_the_same_time_keep_their_accounts(placed):
    async def one(account):
        with connect.account(account):
            first = {row.stripe_id async for row in Charge.objects.all()}
            await asyncio.sleep(0)
            many = {row.stripe_id async for row in Charge.objects.aiterator(chunk_size=1)}
            elsewhere = await sync_to_async(work, thread_sensitive=False)(account)
            return first == many == OWN[account] and elsewhere

    async def all_of_them():
        return await asyncio.gather(*(one(account) for account in [A, B, PLATFORM] * 5))

    assert async_to_sync(all_of_them)() == [True] * 15


def test_in_an_event_loop_an_unknown_account_finds_no_table(placed):
    async def count():
        with connect.account("acct_unknown"):
            return await Charge.objects.acount()

    with pytest.raises(ProgrammingError, match="stripe_charge"):
        async_to_sync(count)()


@pytest.mark.parametrize(
    "account", ["acct_unknown", "public", "platform", 'acct_A"; --', "acct_" + "x" * 59]
)
def test_what_is_no_merchant_cannot_be_entered(placed, account):
    with pytest.raises(UnknownAccount), connect.account(account):
        pass
