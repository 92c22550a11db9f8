"""Metadata keys of charges: a column that is added, and rows with values."""

import re

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from django_stripe.metadata import AddMetadataKey
from django_stripe.mirroring import mirror
from tests.tenants.rows import A, B, snapshot


@pytest.fixture(scope="module")
def state():
    return MigrationLoader(None).project_state([("stripe_charge", "0001_initial")])


@pytest.fixture
def add(db, state):
    """Add the column of a key of charges; return its operation."""

    def add(key):
        operation = AddMetadataKey("stripe_charge", "Charge", key)
        with connection.schema_editor() as editor:
            operation.database_forwards("shop", editor, state, state)
        return operation

    return add


def remove(operation, state):
    with connection.schema_editor() as editor:
        operation.database_backwards("shop", editor, state, state)


def charge(stripe_id, account=A, **metadata):
    mirror([snapshot(account, stripe_id, metadata=metadata)])


def ids(rows):
    return {row.stripe_id for row in rows}


def columns():
    with connection.cursor() as cursor:
        return {
            c.name for c in connection.introspection.get_table_description(cursor, "stripe_charge")
        }


def indexes():
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, "stripe_charge")


def index_condition(rows):
    """Return the condition that the plan of `rows` looks up in an index."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return " ".join(re.findall("Index Cond: (.*)", rows.explain()))


@pytest.fixture
def orders(add):
    """Charges of two orders, of A and of B, and one of none."""
    add("order_id")
    charge("ch_1", order_id="6735")
    charge("ch_2", order_id="6736")
    charge("ch_none")
    charge("ch_b", B, order_id="6735")
