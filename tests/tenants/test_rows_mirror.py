"""The mirror works behind the wall, for the account of the context and no other."""

from __future__ import annotations

import pytest
from django.db import Error, transaction

import connect
from connect import PLATFORM
from connect.context import every_account
from django_stripe import upsert
from django_stripe.charge.models import Charge
from django_stripe.mirroring import mirror, mirror_one
from tests.tenants.rows import BEGAN, A, B, everything, inbox_event, not_of, snapshot


def later(account, stripe_id, amount):
    from dataclasses import replace  # noqa: PLC0415
    from datetime import timedelta  # noqa: PLC0415

    moment = BEGAN + timedelta(days=9)
    row = snapshot(account, stripe_id, amount)
    return replace(row, as_of=moment, requested_at=moment, received_at=moment)


def test_it_writes_the_rows_of_its_account(serving):
    before = not_of(A, everything(serving.url))
    with connect.account(A):
        outcome = mirror([later(A, "ch_a1", 7), later(A, "ch_new", 8), snapshot(A, "ch_a2", 9)])
        assert (outcome.written, outcome.unchanged) == (2, 1)
        assert Charge.objects.get(stripe_id="ch_a1").amount == 7
        with transaction.atomic():
            assert mirror_one(later(A, "ch_newer", 1)).written == 1
    assert not_of(A, everything(serving.url)) == before


@pytest.mark.parametrize("stripe_id", ["ch_b1", "ch_nowhere"])
def test_a_row_of_another_account_is_refused_by_the_database(serving, stripe_id):
    before = everything(serving.url)
    with connect.account(A), pytest.raises(Error, match="row-level security"):
        mirror([later(B, stripe_id, 7)])
    with connect.account(A), pytest.raises(Error, match="row-level security"):
        mirror([later("", "ch_for_a", 7)])
    with pytest.raises(Error, match="row-level security"):
        mirror([later(A, "ch_a1", 7)])
    assert everything(serving.url) == before


def test_it_reads_and_marks_no_row_of_another_account(serving):
    key = (B, False, "ch_b1")
    verdict = upsert.Verdict(BEGAN, BEGAN, BEGAN, settled=False, leans_on_prior=True)
    before = everything(serving.url)
    with transaction.atomic(), connect.account(A):
        assert upsert.rows(Charge, [key], lock=True) == {}
        upsert.mark(Charge, key, verdict)
        upsert.keep_state(Charge, later(B, "ch_b1", 1))
        with every_account():
            assert upsert.rows(Charge, [key], lock=True).keys() == {key}
    assert everything(serving.url) == before


def test_outside_of_a_transaction_its_statements_carry_the_account_too(serving):
    with connect.account(A):
        assert upsert.upsert(Charge, [later(A, "ch_a1", 7)]) == 1
        assert upsert.rows(Charge, [(A, False, "ch_a1"), (B, False, "ch_b1")]).keys() == {
            (A, False, "ch_a1")
        }


def test_with_every_account_it_writes_all_of_them_in_one_batch(serving):
    with every_account():
        rows = [later(A, "ch_a1", 7), later(B, "ch_b1", 8), later("", "ch_own", 9)]
        assert mirror(rows).written == 3
        inbox_event("acct_of_nobody_yet").save(force_insert=True)
        assert Charge.objects.get(stripe_id="ch_b1").amount == 8


def test_the_platform_writes_its_own(serving):
    with connect.account(PLATFORM):
        assert mirror([later("", "ch_for_a", 11)]).written == 1
