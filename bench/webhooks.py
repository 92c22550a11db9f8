"""Owns the rates from a signed delivery to its row, ours and dj-stripe's in turns, and what each delivery costs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, LiteralString

import psycopg

from bench import product, report
from bench.charge import ACCOUNTS
from bench.costs import Cost, Ledger
from bench.delivery import lone_charge
from bench.product import Product, Running
from bench.server import Server

TURNS: Final = 28
DELIVERIES: Final = 50
"""How many a turn: few, so that what else the machine does slows all alike."""
WARM_UP: Final = 2 * ACCOUNTS  # every account once: dj-stripe asks for each the first time
LAST: Final = WARM_UP + TURNS * DELIVERIES
MANY: Final = 16
"""How many times more deliveries a turn our worker takes up: it works by the batch."""

FLOOR: Final = 5.0
END_TO_END_FLOOR: Final = 20.0
ACCEPT_FLOOR: Final = 0.7
ACCEPT_STATEMENTS_MAX: Final = 2

OURS: Final = "bench.ours"
INLINE: Final = Product("webhook", OURS)
HANDLER: Final = Product("webhook_handler", OURS, environment={"BENCH_HANDLER": "1"})
ACCEPT: Final = Product("webhook_accept", OURS, environment={"BENCH_PROCESSING": "worker"})
IN_PARALLEL: Final = {"BENCH_THREADS": "4"}
END_TO_END: Final = Product(
    "webhook_end_to_end",
    OURS,
    environment={"BENCH_PROCESSING": "worker", "BENCH_WORKER": "1", **IN_PARALLEL},
    has_worker=True,
)
BARE: Final = Product("bare_view", "bench.bare")
BARE_NAME: Final = "a bare view with HMAC and INSERT"
DJSTRIPE: Final = "djstripe"
DJSTRIPE_PARALLEL: Final = "djstripe_parallel"
DJSTRIPE_NAME: Final = "dj-stripe 2.11.0"

OUR_ROWS: Final = "SELECT count(*), sum(amount_refunded) FROM stripe_charge"
DJSTRIPE_ROWS: Final = """
SELECT count(*), sum((stripe_data::jsonb ->> 'amount_refunded')::bigint) FROM djstripe_charge
"""


def measure(server: Server, djstripe_python: Path) -> None:
    """Print the rates and costs of taking deliveries."""
    djstripe = Product(DJSTRIPE, "bench.djstripe", python=djstripe_python)
    djstripe_parallel = replace(djstripe, name=DJSTRIPE_PARALLEL, environment=IN_PARALLEL)
    products = (INLINE, djstripe, HANDLER, ACCEPT, BARE, END_TO_END, djstripe_parallel)
    with ExitStack() as resources:
        statements = resources.enter_context(server.statements())
        api = resources.enter_context(product.stripe_api(LAST // 2))
        ledger = Ledger(statements, api)
        urls = {
            each.name: resources.enter_context(server.database(each.database)) for each in products
        }
        takers = [
            resources.enter_context(product.running(each, urls[each.name], api))
            for each in products
        ]
        for taker in takers:
            taker.take(range(_many(taker, WARM_UP)))
        for start in range(WARM_UP, LAST, DELIVERIES):
            for taker in takers:
                numbers = range(_many(taker, start), _many(taker, start + DELIVERIES))
                ledger.take(taker, numbers)
        for name, rows in (
            (INLINE.name, OUR_ROWS),
            (HANDLER.name, OUR_ROWS),
            (DJSTRIPE, DJSTRIPE_ROWS),
            (DJSTRIPE_PARALLEL, DJSTRIPE_ROWS),
        ):
            _verify(urls[name], rows, LAST)
        _verify(urls[END_TO_END.name], OUR_ROWS, LAST * MANY)
    _print_rates(ledger.costs)
    _print_costs(ledger.costs, counted=statements.are_counted)


def _many(taker: Running, number: int) -> int:
    return number * MANY if taker.product.has_worker else number


def _verify(url: str, rows: LiteralString, deliveries: int) -> None:
    """End the run if a product has not done the work: every charge has its row, in its last state."""
    with psycopg.connect(url) as connection:
        ((count, refunded),) = connection.execute(rows).fetchall()
    charges = range(deliveries // 2)
    expected = len(charges), sum(lone_charge(number)["amount"] // 2 for number in charges)
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
    end_to_end = costs[END_TO_END.name]
    ratio = end_to_end.ratio(costs[DJSTRIPE_PARALLEL])
    name = f"{DJSTRIPE_NAME} in as many threads"
    report.line(END_TO_END.name, end_to_end.rate, "events/s", ratio, name)
    report.floor(END_TO_END.name, ratio, END_TO_END_FLOOR)
    accept, bare = costs[ACCEPT.name], costs[BARE.name]
    ratio = accept.ratio(bare)
    report.line(ACCEPT.name, accept.rate, "requests/s", ratio, BARE_NAME)
    report.floor(ACCEPT.name, ratio, ACCEPT_FLOOR)
    for percent in (50, 99):
        value = accept.percentile_ms(percent)
        of = f"{BARE_NAME}, the less the better"
        ratio = value / bare.percentile_ms(percent)
        report.line(f"{ACCEPT.name}_p{percent}", value, "ms", ratio, of)
    for name in (DJSTRIPE, BARE.name):
        report.line(name, costs[name].rate, "requests/s", costs[name].ratio(bare), BARE_NAME)


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
