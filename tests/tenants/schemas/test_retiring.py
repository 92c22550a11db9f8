"""Merchants go: their rows are kept, exported or dropped."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError

import connect
from connect.context import UnknownAccount
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.platform import PLATFORM
from tenants.exporting import export
from tenants.migrating import drop_schema
from tenants.provisioning import NoMerchant, missing_accounts, provision, retire
from tests.tenants.rows import A, B
from tests.tenants.schemas.conftest import OWN
from tests.tenants.schemas.merchants import NEW, SCHEMAS, run, state
from tests.tenants.schemas.orders.models import Order


def lines(path):
    return [json.loads(line) for line in path.read_text().rstrip("\n").split("\n")]


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
