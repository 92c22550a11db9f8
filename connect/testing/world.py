"""The whole state of one stand-in, and the one door by which requests change it."""

import heapq
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connect.testing import errors
from connect.testing.asked import KEPT_MAX, Asked
from connect.testing.call import Call
from connect.testing.clock import Clock
from connect.testing.deliveries import Deliveries
from connect.testing.faults import Faults
from connect.testing.idempotency import IdempotencyKeys
from connect.testing.ids import Ids
from connect.testing.ledger import Ledger
from connect.testing.routing import JOBS, VIEWS
from connect.testing.store import PLATFORM, Store, StripeObject


class World:
    """One platform and its connected accounts. `lock` makes every request a transaction of its own."""

    def __init__(self, seed: int | None = None, frozen_unix: int | None = None) -> None:
        self.lock = threading.RLock()
        self.ids = Ids(seed)
        self.clock = Clock(frozen_unix)
        self.deliveries = Deliveries(self.clock, seed)
        self.platform_account = self.ids.new("acct")
        self.application = self.ids.new("ca")
        self.reset()

    def reset(self) -> None:
        """Forget every object, event and endpoint; the platform keeps its identity."""
        with self.lock:
            self.store = Store()
            self.ledger = Ledger(self.store, self.clock)
            self.idempotency = IdempotencyKeys()
            self.outgoing: list[tuple[str, StripeObject]] = []
            self.jobs: list[tuple[int, int, str, str, str]] = []
            self._scheduled: list[tuple[int, int, str, str, str]] = []
            self._job_number = 0
            self._same_second: int | None = None
            self.after_commit: list[Callable[[], object]] = []
            # Account links have no id at Stripe: what each leads to, by the last part of its address.
            self.links: dict[str, dict[str, Any]] = {}
            # OAuth's codes and tokens; an access token is an API key of one account.
            self.codes: dict[str, Any] = {}
            self.refresh_tokens: dict[str, str] = {}
            self.access_tokens: dict[str, str] = {}
            # Whose payment waits for 3-D Secure, by the client secret in the page's address.
            self.authentications: dict[str, str] = {}
            # Which automatic payout carried a balance transaction.
            self.paid_out: dict[str, str] = {}
            # What Checkout Sessions and quotes remember and do not show.
            self.sessions: dict[str, Any] = {}
            self.asked: deque[Asked] = deque(maxlen=KEPT_MAX)
            self.faults = Faults()
            self.deliveries.reset()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; events leave only after the commit."""
        with self.lock:
            try:
                yield
            except errors.Refused as refused:
                if refused.commit:
                    self._commit()
                else:
                    self._rollback()
                raise
            except BaseException:
                self._rollback()
                raise
            self._commit()

    def schedule(self, at_unix: int, job: str, account: str, id_: str) -> None:
        self._job_number += 1
        self._scheduled.append((at_unix, self._job_number, job, account, id_))

    def run_due_jobs(self) -> None:
        """Do what the clock has reached: payouts arrive, sessions expire."""
        with self.lock:
            while self.jobs and self.jobs[0][0] <= self.clock.now():
                _, _, name, account, id_ = heapq.heappop(self.jobs)
                noun, function = JOBS[name]
                with report_refusals(), self.transaction():
                    call = Call(self, account)
                    obj = call.find(noun, id_)
                    if obj is not None:
                        function(call, obj)

    def event_second(self) -> int:
        """The `created` of an event; one and the same for all while the switch `same_second` is on."""
        if not self.deliveries.switches.same_second:
            self._same_second = None
            return self.clock.now()
        if self._same_second is None:
            self._same_second = self.clock.now()
        return self._same_second

    def accounts(self) -> list[str]:
        return [account["id"] for account in self.store.newest_first(PLATFORM, "account")]

    def may_access(self, account: str) -> bool:
        return self.store.find(PLATFORM, "account", account) is not None

    def state(self, account: str) -> dict[str, dict[str, StripeObject]]:
        """Every object that this account would see, by kind and id, as a retrieve would answer it."""
        with self.lock:
            call = Call(self, account)
            state: dict[str, dict[str, StripeObject]] = {}
            for noun in self.store.nouns(account):
                if noun == "account":  # the platform holds them, but each belongs to itself
                    continue
                view = VIEWS.get(noun, as_stored)
                rows = self.store.oldest_first(account, noun)
                state[noun] = {row["id"]: view(call, row) for row in rows}
            own = self.store.find(PLATFORM, "account", account)
            if own is not None:
                state["account"] = {account: own}
            return state

    def _commit(self) -> None:
        self.store.commit()
        self.ledger.commit()
        for scheduled in self._scheduled:
            heapq.heappush(self.jobs, scheduled)
        self._scheduled.clear()
        for function in self.after_commit:
            function()
        self.after_commit.clear()
        for account, event in self.outgoing:
            # The accounts of a connected account that is a platform itself are no business of this platform.
            if account == PLATFORM or self.store.knows(PLATFORM, "account", account):
                self.deliveries.send(account, event)
        self.outgoing.clear()

    def _rollback(self) -> None:
        self.store.rollback()
        self.ledger.rollback()
        self._scheduled.clear()
        self.after_commit.clear()
        self.outgoing.clear()


@contextmanager
def report_refusals() -> Iterator[None]:
    """What the clock sets going answers no request: a refusal there is a defect of the stand-in's own."""
    try:
        yield
    except errors.Refused:
        traceback.print_exc()


def as_stored(_: Call, obj: StripeObject) -> StripeObject:
    return obj
