"""Owns what the products' turns took: seconds, statements and calls to Stripe."""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from bench import report
from bench.product import Running
from bench.statements import Statements


@dataclass
class Cost:
    """What taking deliveries took, over turns of equally many."""

    deliveries: int = 0
    statements: int = 0
    calls: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Deliveries a second, in the middle of the turns."""
        return self.deliveries / len(self.seconds) / median(self.seconds)

    @property
    def statements_each(self) -> float:
        """Statements a delivery."""
        return self.statements / self.deliveries

    @property
    def calls_each(self) -> float:
        """Calls to Stripe a delivery."""
        return self.calls / self.deliveries

    def ratio(self, reference: Cost) -> float:
        """How much faster than the reference, in the middle of turns taken beside it."""
        return report.median_ratio(self.seconds, reference.seconds)


class Ledger:
    """The costs by name."""

    def __init__(self, statements: Statements, api_base: str) -> None:
        self.statements, self.api_base = statements, api_base
        self.costs: dict[str, Cost] = defaultdict(Cost)

    def take(self, taker: Running, numbers: range) -> None:
        """Give `taker` the deliveries of `numbers`, and note what that took."""
        cost, database = self.costs[taker.product.name], taker.product.database
        statements, calls = self.statements.count(database), self._calls()
        cost.seconds.append(taker.take(numbers))
        cost.deliveries += len(numbers)
        cost.statements += self.statements.count(database) - statements
        cost.calls += self._calls() - calls

    def _calls(self) -> int:
        with urllib.request.urlopen(f"{self.api_base}/requests") as response:  # noqa: S310 - our own
            return int(response.read())
