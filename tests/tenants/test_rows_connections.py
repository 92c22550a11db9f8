"""Whatever connection work comes to, and after whatever, it brings its own account and finds none."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from contextvars import copy_context

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.db import Error, connection, connections, transaction

import connect
from connect.context import every_account
from django_stripe.charge.models import Charge
from django_stripe.database import ALIAS
from tests.tenants.conftest import databases
from tests.tenants.rows import SEEN_BY_A, SEEN_BY_B, A, B

SEEN = {A: SEEN_BY_A, B: SEEN_BY_B, None: set()}


def seen():
    return set(Charge.objects.values_list("stripe_id", flat=True))


def work(account):
    """Look as `account`, between exceptions and in the middle of transactions; return whether all was right."""
    try:
        if account is None:
            return seen() == set()
        with connect.account(account):
            first = seen()
            with suppress(ZeroDivisionError, Error), transaction.atomic():
                seen()
                if account == A:
                    raise ZeroDivisionError
                Charge.objects.create(connect_account_id=A if account == B else B)
            return first == seen() == SEEN[account]
    finally:
        connection.close()


def test_a_new_thread_begins_without_an_account(serving):
    found = []

    def look():
        found.append(seen())
        connection.close()

    with connect.account(A):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert found == [set()]


def test_a_thread_that_is_given_the_context_has_its_account(serving):
    with connect.account(A), ThreadPoolExecutor(1) as pool:
        assert pool.submit(copy_context().run, work, A).result()


@pytest.mark.parametrize(
    "options",
    [
        {"CONN_MAX_AGE": 0},
        {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True},
        {"OPTIONS": {"pool": {"min_size": 1, "max_size": 2, "timeout": 30}}},
        {"OPTIONS": {"pool": {"min_size": 1, "max_size": 1}, "server_side_binding": True}},
        {"DISABLE_SERVER_SIDE_CURSORS": True},
    ],
    ids=[
        "closed",
        "persistent",
        "pool",
        "pool of one, bound by the server",
        "no cursors in the server",
    ],
)
def test_threads_that_share_connections_keep_their_accounts(serving, options):
    with (
        databases(**{ALIAS: serving.entry(serving.role, **options)}),
        ThreadPoolExecutor(4) as pool,
    ):
        accounts = [A, B, None, B, A, None] * 20
        assert list(pool.map(work, accounts)) == [True] * len(accounts)


def test_a_pooled_connection_brings_nothing_along_from_an_exception(serving):
    pool = {"pool": {"min_size": 1, "max_size": 1}}
    with databases(**{ALIAS: serving.entry(serving.role, OPTIONS=pool)}):
        backends = set()
        for account in (B, None, A, None):
            context = connect.account(account) if account else nullcontext()
            with suppress(ZeroDivisionError), transaction.atomic(), context:
                assert seen() == SEEN[account]
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_backend_pid()")
                    backends.add(cursor.fetchone())
                raise ZeroDivisionError
            connection.close()  # as at the end of a request: back into the pool
        assert len(backends) == 1


def test_tasks_at_the_same_time_keep_their_accounts(serving):
    async def one(account):
        with connect.account(account):
            first = {row.stripe_id async for row in Charge.objects.all()}
            await asyncio.sleep(0)
            count = await Charge.objects.acount()
            many = {row.stripe_id async for row in Charge.objects.aiterator(chunk_size=1)}
            return first == many == SEEN[account] and count == len(first)

    async def all_of_them():
        return await asyncio.gather(*(one(account) for account in [A, B] * 10))

    assert async_to_sync(all_of_them)() == [True] * 20


@pytest.mark.parametrize("thread_sensitive", [True, False])
def test_sync_code_called_from_async_has_the_account_of_its_task(serving, thread_sensitive):
    async def one(account):
        with connect.account(account):
            return await sync_to_async(work, thread_sensitive=thread_sensitive)(account)

    async def all_of_them():
        found = await asyncio.gather(*(one(account) for account in [A, B] * 5))
        return [*found, await sync_to_async(work, thread_sensitive=thread_sensitive)(None)]

    assert async_to_sync(all_of_them)() == [True] * 11


def test_a_job_reaches_the_account_it_enters_and_every_account_said_in_so_many_words(serving):
    @connect.account(A)
    def job():
        return seen()

    with every_account():
        assert len(seen()) == 8
        with pytest.raises(connect.NoAccount):
            connect.current_account()
        assert job() == SEEN_BY_A
        assert len(seen()) == 8
    assert seen() == set()


def test_another_alias_of_the_same_database_is_walled_too(serving):
    with databases(replica=serving.entry(serving.role)):
        assert Charge.objects.using("replica").count() == 0
        with connect.account(A):
            assert Charge.objects.using("replica").count() == len(SEEN_BY_A)
        assert connections["replica"].connection is not None
