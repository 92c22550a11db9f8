"""Merchants come, each without keeping the others waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError
from django.db import IntegrityError, connection, transaction

import connect
from connect.models import InboxEvent
from connect.processing import UNKNOWN_ACCOUNT
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.platform import PLATFORM, NoAccount
from tenants.merchants.models import Merchant
from tenants.names import UnsafeName, schema_of
from tenants.ownership import unchecked_tables
from tenants.placing import tenant_apps
from tenants.provisioning import InTransaction, drop, missing_accounts, provision, retire
from tests.tenants.rows import A, B, inbox_event
from tests.tenants.schemas.conftest import OWN
from tests.tenants.schemas.merchants import NEW, OTHER, SCHEMAS, run, state
from tests.tenants.schemas.orders.models import Order


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


def test_the_platforms_schema_is_not_an_accounts():
    assert schema_of("") == "platform"
