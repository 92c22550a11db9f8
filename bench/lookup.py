"""Owns what finding a merchant costs among 100,000 beside 3: `python -m bench.lookup`, in a process of its own.

An account's context is entered (one query over the unique index), entered and asked for one thing, and a merchant is
found by a request's host, as the middleware does. Few and many are in turns, on the same connection.
"""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle
from statistics import median
from time import perf_counter
from typing import Final

import django
import psycopg

from bench import report

FEW: Final = 3
MANY: Final = 100_000
TURNS: Final = 9
ROUNDS: Final = 500
# Those that are looked for among many: so many, evenly from all of them.
SOUGHT: Final = 500

FILL: Final = """
WITH made AS (
    INSERT INTO tenants_merchant (schema_name, connect_account_id, name, state)
    SELECT 'acct_shop' || n, 'acct_shop' || n, 'filled in', 'ready'
    FROM generate_series(%s::int, %s::int) AS n ORDER BY hashint4(n)
    RETURNING id, schema_name
)
INSERT INTO tenants_domain (domain, tenant_id, is_primary)
SELECT replace(schema_name, 'acct_', '') || '.bench', id, true FROM made
"""
EMPTY: Final = """
DELETE FROM tenants_domain USING tenants_merchant AS made WHERE made.id = tenant_id AND made.name = 'filled in';
DELETE FROM tenants_merchant WHERE name = 'filled in'
"""

Find = Callable[[int], object]


def finds() -> dict[str, Find]:
    """Return what is measured, each to be done for the shop of a number; of the second, only few have a schema."""
    from django.http import HttpRequest  # noqa: PLC0415 - the settings are ready by now

    import connect  # noqa: PLC0415
    from django_stripe.charge.models import Charge  # noqa: PLC0415
    from tenants.middleware import resolve  # noqa: PLC0415

    def enter(number: int) -> None:
        with connect.account(f"acct_shop{number}"):
            pass

    def count(number: int) -> None:
        with connect.account(f"acct_shop{number % FEW}"):
            Charge.objects.count()

    def by_host(number: int) -> None:
        request = HttpRequest()
        request.META = {"HTTP_HOST": f"shop{number}.bench"}
        resolve(request)

    return {"lookup": enter, "lookup_count": count, "lookup_host": by_host}


def measure(find: Find, numbers: range) -> float:
    """Return the microseconds that `find` takes, in the middle of many rounds."""
    gc.collect()
    taken = []
    for number, _ in zip(cycle(numbers), range(ROUNDS), strict=False):
        began = perf_counter()
        find(number)
        taken.append(perf_counter() - began)
    return median(taken) * 1e6


def _main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.schemas.settings"
    django.setup()
    # Models can be loaded only now.
    from tenants.migrating import migrate_shared  # noqa: PLC0415
    from tenants.provisioning import provision  # noqa: PLC0415

    migrate_shared()
    for number in range(FEW):
        provision(f"acct_shop{number}", domains=[f"shop{number}.bench"])
    among_few: dict[str, list[float]] = defaultdict(list)
    among_many: dict[str, list[float]] = defaultdict(list)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        for _ in range(TURNS):
            _turn(among_few, range(FEW))
            connection.execute(FILL, [FEW, MANY - 1])
            connection.execute("VACUUM ANALYZE tenants_merchant, tenants_domain")
            _turn(among_many, range(0, MANY, MANY // SOUGHT))
            connection.execute(EMPTY)
            # Full: the indexes become small again too.
            connection.execute("VACUUM FULL ANALYZE tenants_merchant, tenants_domain")
    for name, taken in among_many.items():
        ratio = median(many / few for many, few in zip(taken, among_few[name], strict=True))
        report.line(f"{name}_{MANY}", median(taken), "µs", ratio, f"the same among {FEW}")


def _turn(times: dict[str, list[float]], numbers: range) -> None:
    for name, find in finds().items():
        times[name].append(measure(find, numbers))


if __name__ == "__main__":
    _main()
