"""However many rows an account has, the command does not hold them, and says which of its tables it is at."""

from __future__ import annotations

import re

from tests.tenants.rows import A, B

pytest_plugins = "tests.tenants.schemas.moved"

ROWS = 10_000
TEXT_BYTES = 3000

# Rows like those that the mirror wrote, and of the size that Stripe's objects have.
MANY = f"""
INSERT INTO public.stripe_charge (connect_account_id, livemode, stripe_id, data, as_of, requested_at, received_at,
    origin, event_id, leans_on_prior, updated_at)
SELECT connect_account_id, livemode, 'ch_many' || n, data || jsonb_build_object('id', 'ch_many' || n, 'amount', n,
    'description', repeat('x', {TEXT_BYTES})), as_of, requested_at, received_at, origin, event_id, leans_on_prior, now()
FROM public.stripe_charge, generate_series(1, %s) AS n WHERE stripe_id = 'ch_a1'
"""

MEASURED = f"""
import resource, django
django.setup()
from django.core.management import call_command
call_command("tenants_move", "--to", "schemas", {B!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for more in [], ["--verify"], ["--drop", "--yes"]:
    call_command("tenants_move", "--to", "schemas", {A!r}, *more)
print("grown by", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "kB")
"""


def test_the_command_does_not_grow_with_the_rows_and_tells_of_each_large_table(platform):
    platform.execute(MANY, ROWS)
    said = platform.under_schemas(MEASURED)
    assert (said.err, said.code) == ("", 0)
    (grown_by_kilobytes,) = re.findall(r"grown by (\d+) kB", said.out)
    assert int(grown_by_kilobytes) * 1024 < ROWS * TEXT_BYTES / 4
    lines = [line for line in said.out.splitlines() if line.startswith(f"{A}: ")]
    of_charges = [f"{A}: stripe_charge: {doing} 10,003 rows." for doing in ("copying", "comparing")]
    assert [re.sub(r", [\d,]+ rows/s", "", line) for line in lines] == [
        *of_charges,
        f"{A}: 10,004 rows moved.",
        of_charges[1],
        of_charges[1],
        f"{A}: 10,004 rows dropped.",
    ]


def test_of_small_tables_and_where_nobody_wants_to_read_it_nothing_is_told(platform, monkeypatch):
    assert "copying" not in platform.to_schemas(B).out
    monkeypatch.setattr("tenants.management.commands.tenants_move.LARGE_ROWS", 3)
    assert "copying" not in platform.to_schemas(A, "--verbosity=0").out
    assert f"{A}: stripe_charge: comparing 3 rows." in platform.to_schemas(A, "--verify").out
