"""Without schemas a merchant is a row of the map: it has hosts and a context, and nothing is made or dropped."""

from __future__ import annotations

import sys

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import AsyncClient, Client

import connect
from connect.context import has_entries
from django_stripe.charge.models import Charge
from tenants.merchants.models import Merchant
from tenants.provisioning import drop, missing_accounts, provision, retire
from tenants.schema_checks import check_middleware
from tests.tenants import rows
from tests.tenants.rows import OWN_OF_A, SEEN_BY_A, SEEN_BY_B, A, B

pytestmark = pytest.mark.django_db(transaction=True)


def schemas():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'acct%'")
        return cursor.fetchone()[0]


def test_a_merchant_is_a_row_and_has_no_schema():
    merchant = provision(A, name="A")
    assert (str(merchant), schemas()) == ("A", 0)
    assert not has_entries()
    assert "tenants.schemas" not in sys.modules
    assert "tenants.migrating" not in sys.modules
    with connect.account(merchant):
        assert connect.current_account() == A


def test_a_request_is_about_the_merchant_that_it_names():
    rows.fill()
    provision(A)
    answer = Client().get("/whose/", headers={"connect-account": A}).json()
    assert answer["account"] == A
    # Nothing hides the others' rows here: every query names its account.
    assert set(answer["charges"]) > OWN_OF_A
    assert Client().get("/whose/", headers={"connect-account": B}).status_code == 404
    assert {c.stripe_id for c in Charge.objects.for_account(Merchant.objects.get())} == OWN_OF_A


@pytest.mark.parametrize("page", ["whose/", "whose-async/"])
def test_behind_the_wall_of_rows_a_request_sees_its_merchants(serving, page):
    for account in (A, B):
        provision(account, domains=[f"{account[-1]}.example.com"])
    for account, seen in ((A, SEEN_BY_A), (B, SEEN_BY_B)):
        answer = Client().get(f"/{page}", headers={"connect-account": account}).json()
        assert (answer["account"], set(answer["charges"])) == (account, seen)
        later = async_to_sync(AsyncClient().get)
        answer = later(f"/{page}", headers={"connect-account": account}).json()
        assert set(answer["charges"]) == seen
    assert Merchant.objects.count() == 0
    assert missing_accounts() == []
    assert Client().get("/whose/", headers={"connect-account": "acct_C"}).status_code == 404


def test_what_needs_schemas_says_so(tmp_path):
    provision(A)
    with pytest.raises(CommandError, match=r"Run manage\.py migrate"):
        call_command("tenants_migrate")
    with pytest.raises(CommandError, match="have no schemas"):
        call_command("tenants_retire", A, "drop", "--yes")
    with pytest.raises(ValueError, match="have no schemas"):
        drop(A)


def test_it_can_be_retired_and_taken_out(tmp_path):
    rows.fill()
    provision(A)
    call_command("tenants_retire", A, "export", "--directory", str(tmp_path))
    exported = (tmp_path / A / "public.stripe_charge.jsonl").read_text()
    assert exported.count("\n") == len(OWN_OF_A)
    assert "acct_B" not in exported
    assert Client().get("/whose/", headers={"connect-account": A}).status_code == 404


def test_the_settings_are_right_and_a_middleware_without_the_map_is_refused(monkeypatch):
    assert run_checks(databases=["default"]) == []
    monkeypatch.delitem(apps.app_configs, "merchants")
    assert [message.id for message in check_middleware(None)] == ["tenants.E022"]


def test_without_accounts_only_parked_events_tell_who_is_missing(monkeypatch):
    assert missing_accounts() == []
    monkeypatch.setattr("tenants.provisioning.model_for", lambda noun: None)
    rows.inbox_event(A, state="parked", error="This account is not known here.").save()
    assert missing_accounts() == [A]
    provision(A)
    assert missing_accounts() == []
    assert retire(A).state == retire(A).state == "retired"
