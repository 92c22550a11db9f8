"""The rows that the tests of the wall are about, and a look at them that nothing hides anything from."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg

import connect
from connect import PLATFORM
from connect.context import every_account
from connect.models import InboxEvent
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.mirroring import mirror
from django_stripe.snapshot import Snapshot

A, B = "acct_A", "acct_B"
BEGAN = datetime(2023, 11, 14, 18, tzinfo=UTC)
DAYS = {A: 0, B: 1, "": 0}

# As A: its own, and the platform's that name it.
SEEN_BY_A = {"ch_both", "ch_a1", "ch_a2", "ch_for_a"}
SEEN_BY_B = {"ch_both", "ch_b1", "ch_b2", "ch_for_b"}
OWN_OF_A = {"ch_both", "ch_a1", "ch_a2"}


def snapshot(account, stripe_id, amount=100, *, stripe_object="charge", **fields):
    as_of = BEGAN + timedelta(days=DAYS[account])
    value = {
        "id": stripe_id,
        "object": stripe_object,
        "created": int(as_of.timestamp()),
        "amount": amount,
        "currency": "usd",
        "metadata": {"shop": "all"},
    } | fields
    return Snapshot(
        object=stripe_object,
        account=account,
        livemode=False,
        stripe_id=stripe_id,
        as_of=as_of,
        origin="list",
        requested_at=as_of,
        received_at=as_of,
        payload=json.dumps(value),
    )


def fill():
    """Write rows of A, of B and of the platform, which names each of them in one, through the mirror itself."""
    of_a = [snapshot(A, "ch_both", 1), snapshot(A, "ch_a1", 2), snapshot(A, "ch_a2", 3)]
    of_b = [snapshot(B, "ch_both", 1000), snapshot(B, "ch_b1", 2000), snapshot(B, "ch_b2", 3000)]
    with connect.account(A):
        mirror([*of_a, snapshot(A, "cus_a", stripe_object="customer")])
    with connect.account(B):
        mirror([*of_b, snapshot(B, "cus_b", stripe_object="customer")])
    with connect.account(PLATFORM):
        mirror(
            [
                snapshot("", "ch_for_a", 10, transfer_data={"destination": A}),
                snapshot("", "ch_for_b", 2_718_281, on_behalf_of=B),
                snapshot("", "ch_own", 3_141_592),
            ]
        )
    for account in (A, B):
        with connect.account(account):
            inbox_event(account).save(force_insert=True)


def inbox_event(account, event_id="evt_both", **fields):
    return InboxEvent(
        connect_account_id=account,
        livemode=False,
        event_id=event_id,
        endpoint="connect",
        type="charge.updated",
        created=BEGAN,
        payload="{}",
        **fields,
    )


def everything(url):
    """Return all rows of charges, customers and the inbox, as a superuser sees them."""
    with psycopg.connect(url) as truth:
        return {
            model.__name__: sorted(
                truth.execute(f'SELECT t::text, connect_account_id FROM "{model._meta.db_table}" t')
            )
            for model in (Charge, Customer, InboxEvent)
        }


def not_of(account, rows):
    return {name: [row for row in table if row[1] != account] for name, table in rows.items()}


def every_charge():
    with every_account():
        return Charge.objects.count()
