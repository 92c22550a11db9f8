"""Owns the rates from a signed delivery to its row: a worker beside our endpoint, and threads in either product.

With charges as Stripe sends them, of returning and of new customers: dj-stripe asks Stripe for what they name as well,
and keeps three to five rows to our one. With charges that name nothing too, which Stripe does not send: there dj-stripe
does no more than we do, and the ratio is one of code alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final, LiteralString

from bench import report, turns, webhooks
from bench.links import Links
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
)
CHARGES: Final = {
    Links.NONE: "charges that name nothing",
    Links.RETURNING: "charges of returning customers",
    Links.NEW: "charges of new customers",
}
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
    """Print the rates with every kind of links, and what they cost in calls to Stripe."""
    for links in Links:
        _measure(server, statements, djstripe_python, links)


def _measure(server: Server, statements: Statements, djstripe_python: Path, links: Links) -> None:
    ours = _with(OURS, links, webhooks.OUR_ROWS, OUR_LINKED_ROWS)
    theirs = replace(webhooks.djstripe(djstripe_python), environment=THREADS)
    theirs = _with(theirs, links, webhooks.DJSTRIPE_ROWS, DJSTRIPE_LINKED_ROWS)
    costs = turns.take(server, statements, (ours, theirs), turns=TURNS, links=links)
    cost, reference = costs[ours.name], costs[theirs.name]
    ratio = cost.ratio(reference)
    report.line(ours.name, cost.rate, "events/s", ratio, f"{OF}, {CHARGES[links]}")
    if links is Links.NONE:
        return
    report.floor(ours.name, ratio, FLOOR)
    calls, of = reference.calls_each, f"{reference.calls_each:.1f} by {webhooks.DJSTRIPE_NAME}"
    report.line(f"api_calls_{links}", cost.calls_each, "calls/event", cost.calls_each / calls, of)


def _with(
    product: Product, links: Links, rows: LiteralString, linked_rows: LiteralString
) -> Product:
    return replace(
        product,
        name=f"{product.name}_{links}",
        environment={**product.environment, "BENCH_LINKS": links},
        rows=rows if links is Links.NONE else linked_rows,
    )
