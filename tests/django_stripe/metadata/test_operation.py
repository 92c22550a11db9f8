"""The operation of a migration that adds the column of a metadata key."""

import pytest
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.writer import MigrationWriter

from django_stripe.charge.models import Charge
from django_stripe.metadata import AddMetadataKey, column_name
from tests.django_stripe.metadata.conftest import columns, remove

pytestmark = pytest.mark.django_db


def test_the_migration_has_to_come_after_the_objects(state):
    operation = AddMetadataKey("stripe_nowhere", "Nothing", "order_id")
    with (
        connection.schema_editor() as editor,
        pytest.raises(LookupError, match="depend on its first"),
    ):
        operation.database_forwards("shop", editor, state, state)


def test_no_model_changes(add, state):
    before = state.clone()
    operation = add("order_id")
    operation.state_forwards("shop", state)
    assert state == before
    model = state.apps.get_model("stripe_charge", "Charge")
    assert {f.name for f in model._meta.fields} == {f.name for f in Charge._meta.fields}


def test_the_operation_is_written_as_it_was_given():
    operation = AddMetadataKey("stripe_charge", "Charge", 'a "strange" key')
    migration = Migration("0002_orders", "shop")
    migration.operations = [operation]
    written = {}
    exec(MigrationWriter(migration).as_string(), written)  # noqa: S102 - our own
    (again,) = written["Migration"].operations
    assert (again.object_app, again.object_name, again.key) == operation.deconstruct()[1]
    assert again.describe().endswith("metadata key 'a \"strange\" key' of stripe_charge.Charge")
    assert again.migration_name_fragment == f"charge_{column_name(operation.key)}"
    assert again.reversible


class Elsewhere:
    """A router that has the tables of charges in another database."""

    def allow_migrate(self, db, app_label, **hints):
        return app_label != "stripe_charge"


def test_it_is_done_where_the_table_is(add, state, settings):
    operation = add("here")
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]
    before = columns()
    add("order_id")
    remove(operation, state)
    assert columns() == before
