"""Owns what the products' turns took: seconds, statements and calls to Stripe."""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median, quantiles

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
    each: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Deliveries a second, in the middle of the turns."""
        return self.deliveries / len(self.seconds) / median(self.seconds)

    def percentile_ms(self, percent: int) -> float:
        """In how many milliseconds so many per cent of the deliveries were answered."""
        return 1000 * quantiles(self.each, n=100)[percent - 1]

    @property
    def statements_each(self) -> float:
        """Statements a delivery."""
        return self.statements / self.deliveries

    @property
    def calls_each(self) -> float:
        """Calls to Stripe a delivery."""
        return self.calls / self.deliveries

    def ratio(self, reference: Cost) -> float:
        """How much faster a delivery is than the reference's, in the middle of turns taken beside it."""
        sizes = [each.deliveries / len(each.seconds) for each in (self, reference)]
        return report.median_ratio(self.seconds, reference.seconds) * sizes[0] / sizes[1]


class Ledger:
    """The costs by name."""

    def __init__(self, statements: Statements, api_base: str) -> None:
        self.statements, self.api_base = statements, api_base
        self.costs: dict[str, Cost] = defaultdict(Cost)

    def take(self, taker: Running, numbers: range) -> None:
        """Give `taker` the deliveries of `numbers`, and note what that took."""
        cost, database = self.costs[taker.product.name], taker.product.database
        statements, calls = self.statements.count(database), self._calls()
        taken = taker.take(numbers)
        cost.seconds.append(taken.seconds)
        cost.each += taken.each
        cost.deliveries += len(numbers)
        cost.statements += self.statements.count(database) - statements
        cost.calls += self._calls() - calls

    def _calls(self) -> int:
        with urllib.request.urlopen(f"{self.api_base}/requests") as response:  # noqa: S310 - our own
            return int(response.read())
