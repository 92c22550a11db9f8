"""Behind the wall a metadata key with a column is looked up in its index, and JSON in none."""

from __future__ import annotations

import json

import pytest
from django.db import connection, transaction

import connect
from connect import PLATFORM
from connect.context import every_account
from django_stripe.charge.models import Charge
from django_stripe.metadata import MetadataKey
from django_stripe.mirroring import mirror
from tests.tenants.metadata_columns import metadata_column
from tests.tenants.rows import A, B, snapshot

METADATA = "metadata_order_id"

# Each with an index that is made for it.
JSON = {
    "contained": """data -> 'metadata' @> '{"order_id": "7"}'""",
    "of_text": "data -> 'metadata' ->> 'order_id' = '7'",
    "of_path": "data #>> '{metadata,order_id}' = '7'",
}


@pytest.fixture
def orders(serving):
    """Charges of A and B with the same orders, and the column, added by the owner after the wall was put up."""
    for account, fields in ((A, {}), (B, {}), ("", {"on_behalf_of": A})):
        with connect.account(account or PLATFORM):
            mirror(
                snapshot(account, f"ch_{n}{account}", metadata={"order_id": str(n)}, **fields)
                for n in range(200)
            )
    with metadata_column(serving, "order_id"):
        serving.execute("CREATE INDEX contained ON stripe_charge USING gin ((data -> 'metadata'))")
        serving.execute(
            "CREATE INDEX of_text ON stripe_charge ((data -> 'metadata' ->> 'order_id'))"
        )
        serving.execute("CREATE INDEX of_path ON stripe_charge ((data #>> '{metadata,order_id}'))")
        serving.execute("ANALYZE stripe_charge")
        yield serving
        serving.execute(f"DROP INDEX {', '.join(JSON)}")


def plan_nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from plan_nodes(child)


def lookups(rows):
    """Return index → condition that it is asked for, of all that the plan of `rows` looks up."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        (root,) = json.loads(rows.explain(format="json"))
    nodes = plan_nodes(root["Plan"])
    return {n["Index Name"]: n.get("Index Cond", "") for n in nodes if "Index Name" in n}


def as_superuser(serving, condition):
    """Return the plan of one who no policy holds, for the same condition."""
    select = "EXPLAIN SELECT stripe_id FROM stripe_charge WHERE connect_account_id = 'acct_A' AND "
    return "\n".join(line for (line,) in serving.execute(select + condition))


def test_an_account_finds_its_own_order(orders):
    with connect.account(A):
        found = Charge.objects.with_metadata(order_id="7")
        assert {row.stripe_id for row in found} == {"ch_7acct_A", "ch_7"}
        assert found.for_account(A).get().stripe_id == "ch_7acct_A"
        assert not found.for_account(B)
        assert Charge.objects.for_account(B).values(order=MetadataKey("order_id")).count() == 0
    assert not Charge.objects.with_metadata(order_id="7")
    with every_account():
        assert Charge.objects.with_metadata(order_id="7").count() == 3


def test_the_column_is_looked_up_in_its_index(orders):
    with connect.account(A):
        own = Charge.objects.for_account(A)
        (found,) = lookups(own.with_metadata(order_id="7").order_by()).items()
    name, condition = found
    assert name == f"stripe_charge_{METADATA}"
    assert "connect_account_id" in condition
    assert f"({METADATA} = '7'::text)" in condition


def test_a_range_and_an_order_are_looked_up_too(orders):
    with connect.account(A):
        own = Charge.objects.for_account(A).alias(order=MetadataKey("order_id"))
        condition = lookups(own.filter(order__gt="98").order_by("order"))[
            f"stripe_charge_{METADATA}"
        ]
    assert f"({METADATA} > '98'::text)" in condition


@pytest.mark.parametrize("index", JSON)
def test_json_is_looked_up_in_no_index_though_it_has_one(orders, index):
    assert index in as_superuser(orders, JSON[index]), "without a wall it would be"
    with connect.account(A):
        own = Charge.objects.for_account(A).order_by()
        rows = own.extra(where=[JSON[index]])  # noqa: S610 - our own
        assert rows.get().stripe_id == "ch_7acct_A"
        found = lookups(rows)
    assert found
    assert index not in found
    assert "order_id" not in " ".join(found.values())


@pytest.mark.parametrize(
    ("operator", "leakproof"),
    [
        ("=(text,text)", True),
        ("<(text,text)", True),
        ("@>(jsonb,jsonb)", False),
        ("->>(jsonb,text)", False),
        ("#>>(jsonb,text[])", False),
        ("~~(text,text)", False),
    ],
)
def test_postgresql_says_what_is_leakproof(serving, operator, leakproof):
    sql = "SELECT proleakproof FROM pg_operator JOIN pg_proc ON pg_proc.oid = oprcode"
    assert serving.execute(f"{sql} WHERE pg_operator.oid = %s::regoperator", operator) == [
        (leakproof,)
    ]
