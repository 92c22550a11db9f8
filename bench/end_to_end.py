"""Owns the rates from a signed delivery to its row: a worker beside our endpoint, and threads in either product.

Once of charges that name no other object, the least that dj-stripe ever has to do, and once of charges as Stripe sends
them, each a new customer's first: dj-stripe asks Stripe for what they name as well, and keeps five rows to our one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from bench import report, turns, webhooks
from bench.product import Product
from bench.server import Server
from bench.statements import Statements

TURNS: Final = 12
TIMES: Final = 32
"""How many times as many deliveries a turn are ours: then the worker's last rest in it, of 50 ms, hardly counts."""
FLOOR: Final = 20.0
THREADS: Final = {"BENCH_THREADS": "4"}

OURS: Final = Product(
    "webhook_end_to_end",
    webhooks.OURS,
    environment={"BENCH_PROCESSING": "worker", "BENCH_WORKER": "1", **THREADS},
    has_worker=True,
    times=TIMES,
    rows=webhooks.OUR_ROWS,
)
OF: Final = f"{webhooks.DJSTRIPE_NAME} in as many threads"

OUR_LINKED_ROWS: Final = """
SELECT count(*), sum(amount_refunded) FROM stripe_charge
WHERE customer <> '' AND payment_intent <> '' AND balance_transaction <> ''
"""
DJSTRIPE_LINKED_ROWS: Final = """
SELECT count(*), sum((charge.stripe_data::jsonb ->> 'amount_refunded')::bigint) FROM djstripe_charge AS charge
JOIN djstripe_balancetransaction AS balance ON balance.id = charge.balance_transaction_id
JOIN djstripe_customer AS customer ON customer.id = charge.customer_id
JOIN djstripe_paymentintent AS intent ON intent.id = charge.payment_intent_id
JOIN djstripe_paymentmethod AS method ON method.id = charge.payment_method_id
WHERE intent.customer_id = customer.id AND intent.payment_method_id = method.id AND method.customer_id = customer.id
"""


def measure(server: Server, statements: Statements, djstripe_python: Path) -> None:
    """Print the rates, and what the second cost in calls to Stripe."""
    theirs = replace(webhooks.djstripe(djstripe_python), environment=THREADS)
    costs = turns.take(server, statements, (OURS, theirs), turns=TURNS)
    cost, reference = costs[OURS.name], costs[theirs.name]
    _line(OURS.name, cost.rate, cost.ratio(reference), OF)

    linked = {"BENCH_LINKED": "1"}
    ours = replace(
        OURS,
        name=f"{OURS.name}_linked",
        environment=OURS.environment | linked,
        rows=OUR_LINKED_ROWS,
    )
    theirs = replace(theirs, environment=THREADS | linked, rows=DJSTRIPE_LINKED_ROWS)
    costs = turns.take(server, statements, (ours, theirs), turns=TURNS, linked=True)
    cost, reference = costs[ours.name], costs[theirs.name]
    _line(
        ours.name,
        cost.rate,
        cost.ratio(reference),
        f"{OF}, charges of new customers with their links",
    )
    calls, of = reference.calls_each, f"{reference.calls_each:.1f} by {webhooks.DJSTRIPE_NAME}"
    report.line("api_calls_linked", cost.calls_each, "calls/event", cost.calls_each / calls, of)


def _line(name: str, rate: float, ratio: float, of: str) -> None:
    report.line(name, rate, "events/s", ratio, of)
    report.floor(name, ratio, FLOOR)
