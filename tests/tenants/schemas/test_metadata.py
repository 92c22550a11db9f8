"""The column of a metadata key is added in the schemas that have the object's table."""

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_tenants.utils import schema_context

import connect
from django_stripe.charge.models import Charge
from django_stripe.metadata import AddMetadataKey
from django_stripe.mirroring import mirror
from tests.tenants.rows import A, B, snapshot

OPERATION = AddMetadataKey("stripe_charge", "Charge", "order_id")


@pytest.fixture
def state():
    return MigrationLoader(None).project_state([("stripe_charge", "0001_initial")])


@pytest.fixture
def added(truth, state):
    """Where the column is, after a migration of an app of any place was run in the shared schema and in A's."""
    places = ("public", A)
    for name in places:
        with schema_context(name), connection.schema_editor() as editor:
            OPERATION.database_forwards("orders", editor, state, state)
    yield truth(
        "SELECT table_schema, table_name FROM information_schema.columns "
        "WHERE column_name = 'metadata_order_id'"
    )
    for name in places:
        with schema_context(name), connection.schema_editor() as editor:
            OPERATION.database_backwards("orders", editor, state, state)


def test_it_is_added_where_the_table_is(added):
    assert added == [(A, "stripe_charge")]


def test_the_merchant_finds_by_it(added):
    for account in (A, B):
        with connect.account(account):
            mirror([snapshot(account, "ch_1", metadata={"order_id": "6735"})])
    with connect.account(A):
        assert Charge.objects.with_metadata(order_id="6735").get().connect_account_id == A
