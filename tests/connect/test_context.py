"""The account context: unset is an error, and it goes where the work goes."""

import asyncio
import threading
from contextlib import suppress

import pytest
from asgiref.sync import async_to_sync, sync_to_async

import connect
from connect import PLATFORM, NoAccount


def test_unset_is_an_error_and_never_all():
    with pytest.raises(NoAccount, match="No account context"):
        connect.current_account()


def test_contexts_nest_and_come_back_also_after_an_error():
    with connect.account("acct_A"):
        with suppress(KeyError), connect.account(PLATFORM):
            assert connect.current_account() is PLATFORM
            raise KeyError
        assert connect.current_account() == "acct_A"
    with pytest.raises(NoAccount):
        connect.current_account()


@pytest.mark.parametrize("nothing", [None, ""])
def test_nothing_is_no_account(nothing):
    with pytest.raises(NoAccount), connect.account(nothing):
        pass


def test_it_decorates_a_function():
    @connect.account("acct_A")
    def work():
        return connect.current_account()

    assert work() == work() == "acct_A"


def test_a_new_thread_begins_without_one():
    seen = []

    def work():
        try:
            seen.append(connect.current_account())
        except NoAccount:
            seen.append(None)

    with connect.account("acct_A"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [None]


def test_tasks_at_the_same_time_keep_their_own_also_across_sync_code():
    async def work(account):
        with connect.account(account):
            await asyncio.sleep(0.001)
            inner = await sync_to_async(connect.current_account)()
            await asyncio.sleep(0.001)
            return inner, connect.current_account()

    async def all_of_them():
        accounts = [f"acct_{n}" for n in range(50)]
        return accounts, await asyncio.gather(*map(work, accounts))

    accounts, seen = async_to_sync(all_of_them)()
    assert seen == [(account, account) for account in accounts]
