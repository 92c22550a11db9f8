"""Schemas over the nodes of Citus: each of them on one; what they refer to in the shared one, on all."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.tenants.rows import A, B


def plan():
    out = StringIO()
    call_command("tenants_distribute", "--plan", stdout=out)
    return [line for line in out.getvalue().splitlines() if line.endswith(";")]


def test_each_schema_is_distributed_by_itself_and_those_of_the_future_too(truth):
    (name,) = truth("SELECT quote_ident(current_database())")[0]
    steps = [
        f"ALTER DATABASE {name} SET citus.enable_schema_based_sharding = 'on'",
        f"SELECT citus_schema_distribute('\"{A}\"')",
        f"SELECT citus_schema_distribute('\"{B}\"')",
        "SELECT citus_schema_distribute('platform')",
    ]
    assert plan() == [line for step in steps for line in ("BEGIN;", f"{step};", "COMMIT;")]


def test_no_table_of_a_merchant_refers_to_a_shared_one(truth):
    assert not [line for line in plan() if "create_reference_table" in line]


def test_a_shared_table_that_merchants_refer_to_is_copied_to_every_node_before_they_are_spread(
    truth,
):
    truth(f'CREATE TABLE "{A}".notes (author int REFERENCES public.auth_user)')
    try:
        lines = [line for line in plan() if line.startswith("SELECT")]
    finally:
        truth(f'DROP TABLE "{A}".notes')
    assert lines[0] == "SELECT create_reference_table('auth_user');"
    assert len(lines) == 4


def test_without_the_extension_nothing_is_run(truth):
    with pytest.raises(CommandError, match="has no extension citus"):
        call_command("tenants_distribute")
