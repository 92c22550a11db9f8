"""Merchants come, are brought up to date and go, each without keeping the others waiting."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, migrations, models, transaction
from django.db.migrations.loader import MigrationLoader

import connect
from connect.context import UnknownAccount
from connect.models import InboxEvent
from connect.processing import UNKNOWN_ACCOUNT
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.platform import PLATFORM, NoAccount
from tenants.exporting import export
from tenants.merchants.models import Merchant
from tenants.migrating import Wanted, drop_schema, migrate_schemas
from tenants.names import UnsafeName, schema_of
from tenants.ownership import CONSTRAINT, check_rows, unchecked_tables
from tenants.placing import tenant_apps
from tenants.provisioning import (
    InTransaction,
    NoMerchant,
    drop,
    missing_accounts,
    provision,
    retire,
)
from tests.tenants.rows import A, B, inbox_event
from tests.tenants.schemas.conftest import OWN
from tests.tenants.schemas.orders.models import Order

NEW, OTHER = "acct_1NEW", "acct_1OTHER"
SCHEMAS = {A, B, "platform"}


def run(name, *arguments):
    """Run a command; return what it printed."""
    out = StringIO()
    call_command(name, *arguments, stdout=out, stderr=out, no_color=True)
    return out.getvalue()


def lines(path):
    return [json.loads(line) for line in path.read_text().rstrip("\n").split("\n")]


def state(account):
    return Merchant.objects.get(connect_account_id=account).state


def test_a_merchant_has_every_table_of_its_own_and_none_that_is_shared(truth):
    provision(NEW, name="New", domains=["New.example.com"])
    tables = {
        name for (name,) in truth("SELECT tablename FROM pg_tables WHERE schemaname = %s", NEW)
    }
    assert len(tables) == len(tenant_apps()) + 2
    assert tables >= {"stripe_charge", "stripe_transfer", "orders_order", "django_migrations"}
    assert not tables & {"stripe_account", "connect_inboxevent", "tenants_merchant"}
    assert unchecked_tables(NEW) == []
    merchant = Merchant.objects.get(connect_account_id=NEW)
    assert (merchant.name, merchant.domains.get().domain) == ("New", "new.example.com")
    with connect.account(merchant):
        Order.objects.create(number="1")
        assert not Charge.objects.for_merchant(merchant).exists()
    with connect.account(A):
        assert not Order.objects.exists()


def test_the_shared_schema_has_no_table_of_an_object(truth):
    found = {
        name for (name,) in truth("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    assert {name for name in found if name.startswith("stripe_")} == {"stripe_account"}
    assert "orders_order" not in found


def test_it_may_be_asked_for_again_and_at_the_same_time(truth):
    def job():
        provision(NEW)
        connection.close()

    threads = [threading.Thread(target=job) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert truth.schemas() == SCHEMAS | {NEW}
    assert provision(NEW, name="Named").name == "Named"
    assert provision(NEW).name == "Named"


def test_it_is_not_done_in_somebody_elses_transaction(truth):
    for work in (provision, drop):
        with transaction.atomic(), pytest.raises(InTransaction, match="in a job"):
            work(NEW)
    assert truth.schemas() == SCHEMAS


@pytest.mark.parametrize("account", [A, PLATFORM])
def test_it_may_be_done_in_the_context_of_another_account(placed, account):
    with connect.account(account):
        provision(NEW)
        assert Charge.objects.count() == len(OWN[account])
    assert placed.charges(NEW) == set()
    assert unchecked_tables(NEW) == []


@pytest.mark.parametrize(
    "account",
    ["public", "platform", "acct_", "ACCT_1", 'acct_"', "acct_1 ", "acct_1\n", "acct_" + "x" * 59],
)
def test_only_an_accounts_id_names_a_schema(truth, account):
    with pytest.raises(UnsafeName, match="names no schema"):
        provision(account)
    with pytest.raises(UnsafeName):
        Merchant(connect_account_id=account).save()
    assert truth.schemas() == SCHEMAS


def test_a_merchant_without_an_account_is_neither_the_platform_nor_saved(truth):
    with pytest.raises(IntegrityError), transaction.atomic():
        Merchant().save()
    with pytest.raises(NoAccount):
        Charge.objects.for_account(Merchant())
    assert connect.context.account_key(Merchant.objects.get(connect_account_id="")) == ""
    assert str(Merchant.objects.get(connect_account_id="")) == "platform"


def test_ids_that_differ_in_case_alone_are_not_given_one_schema(truth):
    provision(NEW)
    with pytest.raises(ValidationError):
        provision(NEW.replace("NEW", "new"))
    assert truth.schemas() == SCHEMAS | {NEW}


def test_killed_in_the_middle_it_leaves_nothing_behind(truth):
    """Killed while the schema is there for its transaction alone; the next one makes it."""
    script = f"""
import os, signal, django
django.setup()
from tenants import migrating
from tenants.provisioning import provision
migrate = migrating.migrate_schema
def killed(schema):
    migrate(schema)
    os.kill(os.getpid(), signal.SIGKILL)
migrating.migrate_schema = killed
provision({NEW!r})
"""
    server = truth.connection.info
    url = f"postgresql:///{server.dbname}?host={server.host}&port={server.port}&user={server.user}"
    if server.password:
        url += f"&password={server.password}"
    environment = os.environ | {"DATABASE_URL": url}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    assert truth.schemas() == SCHEMAS
    provision(NEW)
    assert truth.schemas() == SCHEMAS | {NEW}


def test_the_command_goes_on_after_one_that_fails(truth, caplog):
    with pytest.raises(CommandError, match="acct_-: 'acct_-' names no schema"):
        run("tenants_provision", "acct_-", NEW)
    assert truth.schemas() == SCHEMAS | {NEW}
    assert "acct_- could not be provisioned" in caplog.text


def test_the_command_finds_those_that_are_missing(truth, settings):
    settings.CONNECT_PROCESSING = "worker"
    Account.objects.create(connect_account_id=OTHER, stripe_id=OTHER)
    for account in (NEW, A):
        inbox_event(account, state="parked", error=UNKNOWN_ACCOUNT).save()
    inbox_event("acct_1PARKED", state="parked", error="Parked by staff.").save()
    told = {"object_type": "account", "object_id": "acct_1TOLD"}
    inbox_event("", state="parked", error=UNKNOWN_ACCOUNT, **told).save()
    retire(B)
    assert missing_accounts() == ["acct_1NEW", "acct_1OTHER", "acct_1TOLD"]
    assert "2 parked events of merchants" in run("tenants_provision", "--missing")
    assert truth.schemas() == SCHEMAS | {NEW, OTHER, "acct_1TOLD"}
    assert state(B) == "retired"
    assert InboxEvent.objects.filter(state="received").count() == 3


@pytest.mark.parametrize(
    "arguments",
    [(), (NEW, "--missing"), (NEW, OTHER, "--name", "New"), ("--missing", "--name", "New")],
)
def test_the_command_says_what_it_wants(truth, arguments):
    with pytest.raises(CommandError, match=r"Name the accounts|one account"):
        run("tenants_provision", *arguments)
    assert truth.schemas() == SCHEMAS


def test_many_are_provisioned_with_progress(truth, monkeypatch):
    monkeypatch.setattr("connect.progress.LINE_EVERY_SECONDS", 0.0)
    assert "provisioned: 1 of 2" in run("tenants_provision", NEW, OTHER)


def test_kept_it_is_not_entered_and_has_all_it_had(placed):
    run("tenants_retire", A, "keep")
    with pytest.raises(UnknownAccount, match="retired"), connect.account(A):
        pass
    assert placed.charges(A) == OWN[A]
    provision(A)
    with connect.account(A):
        assert Charge.objects.count() == len(OWN[A])


def test_exported_it_is_all_in_files(placed, tmp_path, monkeypatch):
    monkeypatch.setattr("connect.progress.LINE_EVERY_SECONDS", 0.0)
    with connect.account(A):
        Charge.objects.filter(stripe_id="ch_a1").update(
            data={"note": 'a "\\" \x01\n ü', "amount": 2}
        )
        Order.objects.create(number="1")
    Account.objects.create(connect_account_id=A, stripe_id=A)
    Account.objects.create(connect_account_id=B, stripe_id=B)
    out = run("tenants_retire", A, "export", "--directory", str(tmp_path / "out"))
    folder = tmp_path / "out" / A
    assert f"All of {A} is in {folder}." in out
    assert "tables: 3 of" in out
    assert list((tmp_path / "out").iterdir()) == [folder]
    charges = lines(folder / f"{A}.stripe_charge.jsonl")
    assert {row["stripe_id"] for row in charges} == OWN[A]
    (noted,) = (row for row in charges if row["stripe_id"] == "ch_a1")
    assert noted["data"] == {"note": 'a "\\" \x01\n ü', "amount": 2}
    accounts = lines(folder / "public.stripe_account.jsonl")
    assert [row["stripe_id"] for row in accounts] == [A]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["connect_account_id"] == A
    assert manifest["rows"][f"{A}.stripe_charge"] == 3
    assert (
        manifest["rows"][f"{A}.orders_order"] == manifest["rows"]["public.connect_inboxevent"] == 1
    )
    assert placed.charges(A) == OWN[A]
    with pytest.raises(CommandError, match="is there already"):
        run("tenants_retire", A, "export", "--directory", str(tmp_path / "out"))


def test_an_export_that_is_cut_short_leaves_nothing(placed, tmp_path):
    def tell(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(A, tmp_path, tell)
    assert list(tmp_path.iterdir()) == []


def test_dropped_it_is_gone_and_may_come_back_empty(placed, tmp_path):
    with pytest.raises(CommandError, match="say --yes"):
        run("tenants_retire", A, "drop")
    assert placed.schemas() == SCHEMAS
    run("tenants_retire", A, "drop", "--directory", str(tmp_path))
    assert (tmp_path / A / "manifest.json").exists()
    assert placed.schemas() == SCHEMAS - {A}
    assert state(A) == "dropped"
    with pytest.raises(UnknownAccount), connect.account(A):
        pass
    assert A not in missing_accounts()
    assert placed.charges(B) == OWN[B]
    provision(A)
    assert placed.charges(A) == set()


def test_dropped_without_an_export_if_said_so(truth):
    provision(NEW)
    run("tenants_retire", NEW, "drop", "--yes")
    assert truth.schemas() == SCHEMAS


def test_what_cannot_be_retired_is_said(truth):
    with pytest.raises(CommandError, match="tenants_provision acct_1NEW"):
        run("tenants_retire", NEW, "keep")
    with pytest.raises(CommandError, match="Say where to"):
        run("tenants_retire", A, "export")
    with pytest.raises(CommandError, match="names no schema"):
        run("tenants_retire", "nobody", "keep")
    with pytest.raises(NoMerchant):
        retire(NEW)
    with pytest.raises(ValueError, match="is not retired"):
        retire(PLATFORM)
    with pytest.raises(ValueError, match="no merchant's"):
        drop_schema("public")
    assert truth.schemas() == SCHEMAS


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


def test_the_platforms_schema_is_not_an_accounts():
    assert schema_of("") == "platform"
