"""Columns of metadata keys that one side has and the other has not: named, before anything is copied."""

from __future__ import annotations

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_tenants.utils import schema_context

from django_stripe.metadata import AddMetadataKey
from tests.tenants.rows import A, B

pytest_plugins = "tests.tenants.schemas.moved"

OPERATION = AddMetadataKey("stripe_charge", "Charge", "shop")


# The platform's own app has a migration that gives charges the column; it was applied long ago, and stays so.
ANOTHER_APPS = """
import importlib, sys, django
django.setup()
from django.core.management import call_command
from django_stripe.metadata import AddMetadataKey
migration = importlib.import_module("connect.migrations.0001_initial").Migration
migration.operations = [*migration.operations, AddMetadataKey("stripe_charge", "Charge", "shop")]
migration.dependencies = [*migration.dependencies, ("stripe_charge", "0001_initial")]
call_command("tenants_move", "--to", "rows", *sys.argv[1:])
"""


def add_shop(platform, *accounts):
    for account in accounts:
        with platform.served(), schema_context(account), connection.schema_editor() as editor:
            state = MigrationLoader(None).project_state([("stripe_charge", "0001_initial")])
            OPERATION.database_forwards("orders", editor, state, state)


def test_to_schemas_what_their_migrations_do_not_add_is_named_for_every_table(platform):
    for table, key in (("charge", "order_id"), ("customer", "order_id"), ("customer", "shop")):
        platform.execute(
            f"ALTER TABLE public.stripe_{table} ADD metadata_{key} text"
            f" GENERATED ALWAYS AS (data #>> '{{metadata,{key}}}') STORED"
        )
    said = platform.to_schemas(A)
    assert (said.out.splitlines(), said.code) == (["accounts moved: 0 of 1"], 1)
    remedy = (
        "have the migration that adds it (AddMetadataKey, where it is a metadata_…) in INSTALLED_APPS here, and run it;"
        " or take the column out of the source."
    )
    assert said.err == (
        f"{A}: stripe_charge: the columns metadata_order_id of public and {A} differ. "
        f"{A} lacks metadata_order_id: {remedy} "
        f"stripe_customer: the columns metadata_order_id, metadata_shop of public and {A} differ. "
        f"{A} lacks metadata_order_id, metadata_shop: {remedy} Nothing of this account was copied."
    )
    assert not platform.tables(A)


def test_to_schemas_what_the_source_lacks_is_to_be_added_there(in_schemas):
    add_shop(in_schemas, B)
    in_schemas.execute(f"COMMENT ON SCHEMA \"{B}\" IS ''")
    said = in_schemas.to_schemas(B)
    assert said.code == 1
    assert (
        "public lacks metadata_shop: bring the source up to the same migrations first" in said.err
    )


def test_one_name_for_two_keys_is_no_same_column(in_schemas):
    add_shop(in_schemas, A)
    in_schemas.execute(
        "ALTER TABLE public.stripe_charge ADD metadata_shop text"
        " GENERATED ALWAYS AS (data #>> '{metadata,Shop}') STORED"
    )
    said = in_schemas.to_schemas(A, "--verify")
    assert said.code == 1
    assert "metadata_shop are derived in another way: bring the source up" in said.err


def test_to_rows_the_tables_that_are_made_have_the_columns_that_other_apps_gave_them(in_schemas):
    platform = in_schemas
    assert platform.to_schemas("--drop", "--yes").code == 0
    add_shop(platform, A)
    said = platform.under_rows("-c", ANOTHER_APPS)
    # B's schema is not migrated yet.
    assert said.code == 1
    assert f"{B} lacks metadata_shop: bring the source up to the same migrations first" in said.err
    assert f"{A}: 4 rows moved" in said.out
    where = "SELECT metadata_shop, count(*) FROM public.stripe_charge GROUP BY 1"
    assert platform.execute(where) == [("all", 3)]
    assert platform.under_rows("-c", ANOTHER_APPS, "--verify", A).code == 0
