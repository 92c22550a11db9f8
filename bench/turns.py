"""Owns turns: products take their deliveries beside each other, and are held to have made the rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final, LiteralString

import psycopg

from bench import product
from bench.charge import ACCOUNTS
from bench.costs import Cost, Ledger
from bench.links import Links, linked_charge
from bench.product import Product, Running
from bench.server import Server
from bench.statements import Statements

DELIVERIES: Final = 50
"""How many a turn: few, so that what else the machine does slows all alike."""
WARM_UP: Final = 2 * ACCOUNTS  # every account once: dj-stripe asks for each the first time


def take(
    server: Server,
    statements: Statements,
    products: Sequence[Product],
    *,
    turns: int,
    links: Links = Links.NONE,
) -> dict[str, Cost]:
    """Return what so many turns cost each of `products`, by name."""
    last = WARM_UP + turns * DELIVERIES
    with ExitStack() as resources:
        api = resources.enter_context(product.stripe_api(last // 2, links))
        ledger = Ledger(statements, api)
        urls = [resources.enter_context(server.database(each.database)) for each in products]
        takers = [
            resources.enter_context(product.running(each, url, api))
            for each, url in zip(products, urls, strict=True)
        ]
        for taker in takers:
            taker.take(_numbers(taker, 0, WARM_UP))
        for first in range(WARM_UP, last, DELIVERIES):
            for taker in takers:
                ledger.take(taker, _numbers(taker, first, first + DELIVERIES))
        for each, url in zip(products, urls, strict=True):
            if each.rows:
                _verify(url, each.rows, last * each.times)
    return ledger.costs


def _numbers(taker: Running, first: int, last: int) -> range:
    times = taker.product.times
    return range(first * times, last * times)


def _verify(url: str, rows: LiteralString, deliveries: int) -> None:
    """End the run if a product has not done the work: every charge has its row, in its last state."""
    with psycopg.connect(url) as connection:
        ((count, refunded),) = connection.execute(rows).fetchall()
    charges = range(deliveries // 2)
    expected = (
        len(charges),
        sum(linked_charge(number, Links.NONE)["amount"] // 2 for number in charges),
    )
    if (count, refunded) != expected:
        raise SystemExit(
            f"Rows are missing or stale: {rows} gave {count}, {refunded}, not {expected}."
        )
