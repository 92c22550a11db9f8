"""Money: every movement is a balance transaction, and an account's balance is the sum of its balance transactions."""

import heapq
from collections import defaultdict
from dataclasses import dataclass, field

from connect.testing.clock import Clock
from connect.testing.store import Store, StripeObject


@dataclass
class Purse:
    """One account's money in one currency, in minor units. `pending` is a heap of (available_on, net)."""

    available: int = 0
    pending_total: int = 0
    pending: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Funds:
    available: int
    pending: int

    @property
    def total(self) -> int:
        return self.available + self.pending


class Ledger:
    """A running sum over the balance transactions in the store; it can be rebuilt from them at any time."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._purses: dict[str, dict[str, Purse]] = {}
        self._settled_unix = 0
        self._touched: set[str] = set()

    def add(self, account: str, transaction: StripeObject) -> None:
        purses = self._account(account)
        self._touched.add(account)
        # The store may already hold the transaction when the purses were just built from it.
        if not self._store.knows(account, "balance_transaction", transaction["id"]):
            self._store.put(account, transaction)
            self._enter(purses, transaction)

    def funds(self, account: str) -> dict[str, Funds]:
        """Available and pending money in each currency that ever moved."""
        return {
            currency: Funds(purse.available, purse.pending_total)
            for currency, purse in self._account(account).items()
        }

    def currency(self, account: str, currency: str) -> Funds:
        return self.funds(account).get(currency, Funds(0, 0))

    def commit(self) -> None:
        self._touched.clear()

    def rollback(self) -> None:
        """Forget the sums of the accounts touched since the last commit; the store is the truth."""
        for account in self._touched:
            self._purses.pop(account, None)
        self._touched.clear()

    def _account(self, account: str) -> dict[str, Purse]:
        now = self._clock.now()
        if (
            now < self._settled_unix
        ):  # the clock was set back: what was available may be pending again
            self._purses.clear()
        self._settled_unix = now
        if account not in self._purses:
            self._purses[account] = defaultdict(Purse)
            for transaction in self._store.oldest_first(account, "balance_transaction"):
                self._enter(self._purses[account], transaction)
        purses = self._purses[account]
        for purse in purses.values():
            while purse.pending and purse.pending[0][0] <= now:
                net = heapq.heappop(purse.pending)[1]
                purse.available += net
                purse.pending_total -= net
        return purses

    def _enter(self, purses: dict[str, Purse], transaction: StripeObject) -> None:
        purse = purses[transaction["currency"]]
        if transaction["available_on"] <= self._clock.now():
            purse.available += transaction["net"]
        else:
            purse.pending_total += transaction["net"]
            heapq.heappush(purse.pending, (transaction["available_on"], transaction["net"]))
