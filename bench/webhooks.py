"""Owns the rates from a signed delivery to its row, ours and dj-stripe's in turns, and what each delivery costs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Final, LiteralString

import psycopg

from bench import product, report
from bench.charge import ACCOUNTS
from bench.costs import Cost, Ledger
from bench.delivery import lone_charge
from bench.plain_insert import PlainInsert
from bench.product import Product
from bench.server import Server

TURNS: Final = 28
DELIVERIES: Final = 50
"""How many a turn: few, so that what else the machine does slows all alike."""
WARM_UP: Final = 2 * ACCOUNTS  # every account once: dj-stripe asks for each the first time
LAST: Final = WARM_UP + TURNS * DELIVERIES

FLOOR: Final = 5.0
ACCEPT_STATEMENTS_MAX: Final = 2

OURS: Final = "bench.ours"
INLINE: Final = Product("webhook", OURS)
HANDLER: Final = Product("webhook_handler", OURS, environment={"BENCH_HANDLER": "1"})
ACCEPT: Final = Product("webhook_accept", OURS, environment={"BENCH_PROCESSING": "worker"})
DJSTRIPE: Final = "djstripe"
DJSTRIPE_NAME: Final = "dj-stripe 2.11.0"
INSERT: Final = "durable_insert"
INSERT_NAME: Final = "one durable INSERT"

OUR_ROWS: Final = "SELECT count(*), sum(amount_refunded) FROM stripe_charge"
DJSTRIPE_ROWS: Final = """
SELECT count(*), sum((stripe_data::jsonb ->> 'amount_refunded')::bigint) FROM djstripe_charge
"""


def measure(server: Server, djstripe_python: Path) -> None:
    """Print the rates and costs of taking deliveries."""
    djstripe = Product(DJSTRIPE, "bench.djstripe", python=djstripe_python)
    products = (INLINE, djstripe, HANDLER, ACCEPT)
    with ExitStack() as resources:
        statements = resources.enter_context(server.statements())
        api = resources.enter_context(product.stripe_api(LAST // 2))
        ledger = Ledger(statements, api)
        plain_url = resources.enter_context(server.database("bench_plain"))
        plain = PlainInsert(resources.enter_context(psycopg.connect(plain_url, autocommit=True)))
        urls = {
            each.name: resources.enter_context(server.database(each.database)) for each in products
        }
        takers = [
            resources.enter_context(product.running(each, urls[each.name], api))
            for each in products
        ]
        for taker in takers:
            taker.take(range(WARM_UP))
        for start in range(WARM_UP, LAST, DELIVERIES):
            numbers = range(start, start + DELIVERIES)
            ledger.costs[INSERT].seconds.append(plain.take(numbers))
            ledger.costs[INSERT].deliveries += DELIVERIES
            for taker in takers:
                ledger.take(taker, numbers)
        for name, rows in (
            (INLINE.name, OUR_ROWS),
            (HANDLER.name, OUR_ROWS),
            (DJSTRIPE, DJSTRIPE_ROWS),
        ):
            _verify(urls[name], rows)
    _print_rates(ledger.costs)
    _print_costs(ledger.costs, counted=statements.are_counted)


def _verify(url: str, rows: LiteralString) -> None:
    """End the run if a product has not done the work: every charge has its row, in its last state."""
    with psycopg.connect(url) as connection:
        ((count, refunded),) = connection.execute(rows).fetchall()
    expected = LAST // 2, sum(lone_charge(number)["amount"] // 2 for number in range(LAST // 2))
    if (count, refunded) != expected:
        raise SystemExit(
            f"Rows are missing or stale: {rows} gave {count}, {refunded}, not {expected}."
        )


def _print_rates(costs: dict[str, Cost]) -> None:
    for each in (INLINE, HANDLER):
        ratio = costs[each.name].ratio(costs[DJSTRIPE])
        report.line(each.name, costs[each.name].rate, "events/s", ratio, DJSTRIPE_NAME)
        if each is INLINE:
            report.floor(each.name, ratio, FLOOR)
    for name in (ACCEPT.name, DJSTRIPE, INSERT):
        ratio = costs[name].ratio(costs[INSERT])
        report.line(name, costs[name].rate, "events/s", ratio, INSERT_NAME)


def _print_costs(costs: dict[str, Cost], *, counted: bool) -> None:
    inline, accept, theirs = costs[INLINE.name], costs[ACCEPT.name], costs[DJSTRIPE]
    of = f"{theirs.calls_each:.1f} by {DJSTRIPE_NAME}"
    report.line(
        "api_calls", inline.calls_each, "calls/event", inline.calls_each / theirs.calls_each, of
    )
    report.ceiling("api_calls", inline.calls_each, 0)
    if not counted:
        return
    of = f"{theirs.statements_each:.1f} by {DJSTRIPE_NAME}"
    for each in (INLINE, HANDLER, ACCEPT):
        value = costs[each.name].statements_each
        ratio = value / theirs.statements_each
        report.line(f"{each.name}_statements", value, "statements/event", ratio, of)
    report.ceiling(f"{ACCEPT.name}_statements", accept.statements_each, ACCEPT_STATEMENTS_MAX)
