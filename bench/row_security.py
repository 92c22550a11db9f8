"""Owns what row-level security costs: the same queries behind the wall and past it, in turns, over a million charges.

`python -m bench.row_security`, in a process of its own, on the database of ``DATABASE_URL``, as a superuser. The
charges are small (0.5 KB): what is read besides would only hide the wall.
"""

from __future__ import annotations

import os
import secrets
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any, Final

import django
import psycopg
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from psycopg import sql

from bench import report
from example_platform.roles import role, serving_role

CHARGES: Final = 1_000_000
ACCOUNTS: Final = {"small": "acct_small", "median": "acct_m500", "large": "acct_large"}
NOW: Final = datetime(2026, 11, 1, tzinfo=UTC)

# A quarter is one merchant's, 20 are another's, and the others have a thousand each; in no order, over a year.
FILL: Final = """
INSERT INTO stripe_charge (connect_account_id, livemode, stripe_id, data, as_of, origin, event_id, leans_on_prior)
SELECT
    CASE WHEN n < 250000 THEN 'acct_large' WHEN n < 250020 THEN 'acct_small' ELSE 'acct_m' || n / 1000 END,
    true, 'ch_' || n,
    jsonb_build_object(
        'id', 'ch_' || n, 'object', 'charge', 'amount', n %% 90000, 'amount_refunded', 0, 'currency', 'usd',
        'captured', true, 'paid', n %% 25 <> 0, 'refunded', false, 'disputed', false, 'livemode', true,
        'status', CASE WHEN n %% 25 = 0 THEN 'failed' ELSE 'succeeded' END,
        'created', extract(epoch FROM %(now)s::timestamptz)::bigint - (hashint4(n) & 2147483647) %% 31536000,
        'customer', 'cus_' || n / 10, 'payment_intent', 'pi_' || n, 'balance_transaction', 'txn_' || n,
        'description', 'Order ' || n, 'metadata', jsonb_build_object('order', n::text)
    ),
    now(), 'event', '', false
FROM (SELECT n FROM generate_series(0, %(last)s) AS n ORDER BY hashint4(n)) AS numbers
"""

PASSES: Final = 15
SECONDS: Final = 0.25
"""How long each query is measured in a pass, both ways together."""
ROUNDS_MIN: Final = 20
CORES: Final = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
SLOWER_MAX: Final = 0.05
SLOWER_MAX_MS: Final = 0.1

Query = Callable[[str], Any]
Round = tuple[float, float]
"""The seconds of a query past the wall, and behind it."""


def queries(account: str) -> dict[str, Query]:
    """Return what dashboards ask about a merchant, each to be asked of an entry of DATABASES."""
    from django.db.models import Count, Sum  # noqa: PLC0415 - the settings are ready by now

    from django_stripe.charge.models import Charge  # noqa: PLC0415

    def charges(alias: str) -> Any:
        return Charge.objects.using(alias).for_account(account)

    one = charges("free").first()
    month = (NOW - timedelta(days=30), NOW)
    return {
        "point": lambda alias: charges(alias).get(stripe_id=one.stripe_id),
        "last_50": lambda alias: list(charges(alias).newest_first()[:50]),
        "filtered": lambda alias: list(charges(alias).filter(status="failed").newest_first()[:50]),
        "search": lambda alias: list(charges(alias).filter(customer=one.customer)),
        "30_days": lambda alias: list(
            charges(alias)
            .created_between(*month)
            .values("currency")
            .order_by()
            .annotate(Sum("amount"), Count("pk"))
        ),
    }


def rounds_of(query: Query) -> list[Round]:
    """Return a pass of rounds: each asks both, one right after the other and in turns first."""
    aliases = ["default", "free"]
    answers = [query(alias) for alias in aliases]
    if answers[0] != answers[1] or not answers[0]:
        raise SystemExit(
            "Behind the wall something else is found than past it, or nothing on either side."
        )
    rounds: list[Round] = []
    ends_at = perf_counter() + SECONDS
    while perf_counter() < ends_at or len(rounds) < ROUNDS_MIN:
        taken = {}
        for alias in aliases:
            began = perf_counter()
            query(alias)
            taken[alias] = perf_counter() - began
        rounds.append((taken["free"], taken["default"]))
        aliases.reverse()
    return rounds


def quieter_half(rounds: list[Round]) -> tuple[float, float]:
    """Return the milliseconds past the wall, and how many more behind it, in the middle of the quicker rounds.

    What else the machine does slows both down, for seconds at a time.
    """
    quick = sorted(rounds, key=sum)[: len(rounds) // 2]
    more = median(walled - free for free, walled in quick)
    return median(free for free, _ in quick) * 1000, more * 1000


def measure() -> None:
    """Print each query's time behind the wall, and how much longer it is: in the middle of the passes."""
    import connect  # noqa: PLC0415 - the settings are ready by now

    passes: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _ in range(PASSES):
        _connect()
        for size, account in ACCOUNTS.items():
            with connect.account(account):
                for name, query in queries(account).items():
                    passes[f"wall_{name}_{size}"].append(quieter_half(rounds_of(query)))
    for label, of_both in passes.items():
        free_ms, more_ms = map(median, zip(*of_both, strict=True))
        walled_ms = free_ms + more_ms
        report.line(label, walled_ms, "ms", walled_ms / free_ms, "the same without it")
        report.ceiling(label, more_ms, max(SLOWER_MAX * free_ms, SLOWER_MAX_MS))


def _connect() -> None:
    """Make both connections anew, with a core for both backends, and another for this process.

    One of two backends that do the same is up to 2 % slower for as long as it lives, and how long it takes to wake one
    differs from core to core: both by as much as what is measured.
    """
    connections.close_all()
    # As where nobody keeps merchants apart: no statement of this connection carries an account.
    with override_settings(TENANTS_ISOLATION=None):
        connections["free"].ensure_connection()
    connections["default"].ensure_connection()
    if len(CORES) < 2:
        return
    try:
        for alias in ("default", "free"):
            os.sched_setaffinity(connections[alias].connection.info.backend_pid, CORES[1:2])
    except OSError as problem:
        report.remark(f"The backends could not be given a core of their own: {problem}.")
    else:
        os.sched_setaffinity(0, CORES[:1])


def _fill(url: str, reader: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FILL, {"now": NOW, "last": CHARGES - 1})
        connection.execute("VACUUM ANALYZE stripe_charge")
        grant = sql.SQL("GRANT SELECT ON stripe_charge TO {}")
        connection.execute(grant.format(sql.Identifier(reader)))


def _main() -> None:
    owner_url = os.environ["DATABASE_URL"]
    with (
        serving_role(owner_url, stays=False) as url,
        # A role that row-level security does not hold, and that owns nothing either.
        role(owner_url, f"bench_free_{secrets.token_hex(4)}", "BYPASSRLS", stays=False) as free_url,
    ):
        os.environ |= {
            "DATABASE_URL": url,
            "BENCH_OWNER_URL": owner_url,
            "BENCH_FREE_URL": free_url,
            "DJANGO_SETTINGS_MODULE": "bench.rows.settings",
        }
        django.setup()
        call_command("migrate", database="owner", verbosity=0)
        call_command("tenants_rls", "install", verbosity=0)
        _fill(owner_url, connections["free"].settings_dict["USER"])
        measure()
        connections.close_all()


if __name__ == "__main__":
    _main()
