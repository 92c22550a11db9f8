"""Owns the rates from a signed delivery to its row, ours and dj-stripe's in turns, and what each delivery costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import report, turns
from bench.costs import Cost
from bench.product import Product
from bench.server import Server
from bench.statements import Statements

TURNS: Final = 28

FLOOR: Final = 5.0
ACCEPT_FLOOR: Final = 0.7
ACCEPT_STATEMENTS_MAX: Final = 2

OURS: Final = "bench.ours"
OUR_ROWS: Final = "SELECT count(*), sum(amount_refunded) FROM stripe_charge"
INLINE: Final = Product("webhook", OURS, rows=OUR_ROWS)
HANDLER: Final = replace(INLINE, name="webhook_handler", environment={"BENCH_HANDLER": "1"})
ACCEPT: Final = Product("webhook_accept", OURS, environment={"BENCH_PROCESSING": "worker"})
BARE: Final = Product("bare_view", "bench.bare")
BARE_NAME: Final = "a bare view with HMAC and INSERT"
DJSTRIPE: Final = "djstripe"
DJSTRIPE_NAME: Final = "dj-stripe 2.11.0"
DJSTRIPE_ROWS: Final = """
SELECT count(*), sum((stripe_data::jsonb ->> 'amount_refunded')::bigint) FROM djstripe_charge
"""


def djstripe(python: Path) -> Product:
    """Return dj-stripe, run by the Python of its environment."""
    return Product(DJSTRIPE, "bench.djstripe", python=python, rows=DJSTRIPE_ROWS)


def measure(server: Server, statements: Statements, djstripe_python: Path) -> None:
    """Print the rates and costs of taking deliveries."""
    products = (INLINE, djstripe(djstripe_python), HANDLER, ACCEPT, BARE)
    costs = turns.take(server, statements, products, turns=TURNS)
    _print_rates(costs)
    _print_costs(costs, counted=statements.are_counted)


def _print_rates(costs: dict[str, Cost]) -> None:
    for each in (INLINE, HANDLER):
        ratio = costs[each.name].ratio(costs[DJSTRIPE])
        report.line(each.name, costs[each.name].rate, "events/s", ratio, DJSTRIPE_NAME)
        if each is INLINE:
            report.floor(each.name, ratio, FLOOR)
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
