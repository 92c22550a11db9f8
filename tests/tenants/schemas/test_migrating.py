"""Merchants are brought up to date, each without keeping the others waiting."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader

import connect
from connect.context import UnknownAccount
from django_stripe.charge.models import Charge
from django_stripe.platform import PLATFORM
from tenants.merchants.models import Merchant
from tenants.migrating import Wanted, migrate_schemas
from tenants.ownership import CONSTRAINT, check_rows, unchecked_tables
from tenants.provisioning import provision
from tests.tenants.rows import A, B
from tests.tenants.schemas.merchants import NEW, OTHER, SCHEMAS, run


@pytest.fixture
def one_more_migration(monkeypatch):
    """A migration of the orders that is not in any schema."""

    class Migration(migrations.Migration):
        dependencies = [("orders", "0001_initial")]
        operations = [migrations.AddField("order", "note", models.TextField(default=""))]

    load = MigrationLoader.load_disk

    def load_with_it(self):
        load(self)
        self.disk_migrations["orders", "0002_note"] = Migration("0002_note", "orders")

    monkeypatch.setattr(MigrationLoader, "load_disk", load_with_it)
    return Migration


def test_those_that_are_current_are_skipped_and_one_that_fails_keeps_nobody_waiting(
    truth, one_more_migration, caplog, monkeypatch
):
    monkeypatch.setattr("connect.progress.LINE_EVERY_SECONDS", 0.0)
    for account in (NEW, OTHER):
        # They come with it.
        provision(account)
    truth('CREATE SCHEMA "acct_1BROKEN"')
    try:
        truth('CREATE TABLE "acct_1BROKEN".stripe_charge (id int)')
        Merchant(connect_account_id="acct_1BROKEN").save()
        with pytest.raises(CommandError, match="acct_1BROKEN: ProgrammingError") as failed:
            run("tenants_migrate")
        assert failed.value.returncode == 1
        assert "Schema acct_1BROKEN could not be migrated" in caplog.text
        assert migrate_schemas().failed.keys() == {"acct_1BROKEN"}
        report = migrate_schemas([A, B, "platform", NEW, OTHER])
        assert (report.current, report.migrated) == (5, [])
        (columns,) = truth(
            "SELECT count(*) FROM information_schema.columns WHERE table_name = 'orders_order'"
            " AND column_name = 'note' AND table_schema IN (%s, %s)",
            A,
            B,
        )
        assert columns == (2,)
    finally:
        for schema in (A, B, "platform"):
            truth(f'ALTER TABLE "{schema}".orders_order DROP COLUMN note')
            truth(f"DELETE FROM \"{schema}\".django_migrations WHERE name = '0002_note'")


def test_a_table_that_takes_in_foreign_rows_makes_a_schema_not_current(truth):
    truth(f'ALTER TABLE "{A}".stripe_refund DROP CONSTRAINT {CONSTRAINT}')
    assert unchecked_tables(A) == ["stripe_refund"]
    assert "1 schemas migrated, 2 were current, 0 failed" in run("tenants_migrate")
    assert unchecked_tables(A) == []


def test_django_tenants_own_command_leaves_no_table_unchecked(truth):
    truth(f'ALTER TABLE "{A}".stripe_refund DROP CONSTRAINT {CONSTRAINT}')
    call_command("migrate_schemas", schema_name=A, verbosity=0)
    assert unchecked_tables(A) == []


def test_a_schema_that_is_no_merchants_is_left_alone(truth):
    assert check_rows("public") == []


def test_only_those_that_are_named_are_migrated(truth):
    assert "0 schemas migrated, 1 were current" in run("tenants_migrate", A)
    with pytest.raises(CommandError, match="acct_1NEW: There is no such schema"):
        run("tenants_migrate", NEW)
    with pytest.raises(CommandError, match="names no schema"):
        run("tenants_migrate", "nobody")


def test_the_platforms_place_is_made_anew(truth):
    truth("DROP SCHEMA platform CASCADE")
    truth("DELETE FROM tenants_merchant WHERE connect_account_id = ''")
    with pytest.raises(UnknownAccount, match="tenants_migrate"), connect.account(PLATFORM):
        pass
    run("tenants_migrate")
    assert truth.schemas() == SCHEMAS
    with connect.account(PLATFORM):
        assert not Charge.objects.exists()


def test_a_migration_counts_as_applied_by_what_it_replaces_and_by_what_replaces_it(
    truth, monkeypatch
):
    class Squashed(migrations.Migration):
        replaces = [("orders", "0001_initial")]

    load = MigrationLoader.load_disk

    def load_with_it(self):
        load(self)
        self.disk_migrations["orders", "0001_squashed"] = Squashed("0001_squashed", "orders")

    monkeypatch.setattr(MigrationLoader, "load_disk", load_with_it)
    wanted = Wanted()
    assert wanted.are_in(A)
    rename = f"UPDATE \"{A}\".django_migrations SET name = %s WHERE app = 'orders'"
    truth(rename, "0001_squashed")
    assert wanted.are_in(A)
    truth(rename, "0001_other")
    assert not wanted.are_in(A)
    truth(rename, "0001_initial")
    truth('CREATE SCHEMA "acct_1EMPTY"')
    assert not wanted.are_in("acct_1EMPTY")


def test_a_command_is_run_for_every_merchant_and_its_failures_are_each_ones_own(placed, capsys):
    call_command("tenants_run", "count_charges")
    assert capsys.readouterr().out.split() == ["3", "3", "3"]
    with connect.account(A):
        Charge.objects.all().delete()
    with pytest.raises(CommandError, match=f"{A}: CommandError: none"):
        call_command("tenants_run", "count_charges", "--some")
    assert capsys.readouterr().out.split() == ["3", "3"]
    with pytest.raises(CommandError, match="no command 'no_such'"):
        call_command("tenants_run", "no_such")
