"""Owns what a new merchant's schema costs beside plain django-tenants: `python -m bench.provisioning`, on its own.

Plain is what its users do: save a tenant with ``auto_create_schema``, which runs `migrate_schemas` for the one schema.
Both make the same tables, with the same migrations. Ours also is one transaction, has every table refuse foreign rows,
and looks for events that waited.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Final

import django
import psycopg

from bench import report

SCHEMAS: Final = 50
TABLES: Final = """
SELECT count(*) FILTER (WHERE schemaname LIKE 'acct_ours%'), count(*) FILTER (WHERE schemaname LIKE 'acct_plain%')
FROM pg_tables
"""


def _main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.schemas.settings"
    django.setup()
    # Models can be loaded only now.
    from tenants.migrating import migrate_shared  # noqa: PLC0415
    from tenants.provisioning import provision  # noqa: PLC0415

    migrate_shared()
    ours: list[float] = []
    plain: list[float] = []
    # One more, which nobody counts: what is imported and remembered the first time.
    for number in range(SCHEMAS + 1):
        ours.append(_seconds(provision, f"acct_ours{number}"))
        plain.append(_seconds(_save, f"acct_plain{number}"))
    _verify()
    middle, plain_middle = median(ours[1:]), median(plain[1:])
    ratio = middle / plain_middle
    report.line("provisioning", middle * 1000, "ms", ratio, "plain django-tenants")


def _seconds(make: Callable[[str], object], account: str) -> float:
    gc.collect()
    began = perf_counter()
    make(account)
    return perf_counter() - began


def _save(account: str) -> None:
    """Make a tenant as django-tenants does it by itself: nothing of ours is done to its schema."""
    from django_tenants.signals import schema_migrated  # noqa: PLC0415

    from tenants.merchants.models import Merchant  # noqa: PLC0415
    from tenants.ownership import check_rows_after_migration  # noqa: PLC0415

    uid = "tenants.ownership"
    schema_migrated.disconnect(dispatch_uid=uid)
    try:
        merchant = Merchant(connect_account_id=account)
        # Ours is off: `provision` makes the schema.
        merchant.auto_create_schema = True
        merchant.save(verbosity=0)
    finally:
        schema_migrated.connect(check_rows_after_migration, dispatch_uid=uid)


def _verify() -> None:
    """End the run if one has made other tables than the other."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        ((ours, plain),) = connection.execute(TABLES).fetchall()
    if ours != plain or not ours:
        raise SystemExit(f"There are {ours} tables of ours, and {plain} of plain django-tenants.")


if __name__ == "__main__":
    _main()
