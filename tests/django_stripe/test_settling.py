"""Settling: what the events do not tell is asked for once, by one at a time, and never given up."""

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from connect.testing import StandIn
from django_stripe import mirror
from django_stripe.customer.models import Customer
from django_stripe.event import parse_event
from django_stripe.settling import lease, settle, settle_due
from django_stripe.snapshot import event_snapshot
from django_stripe.upsert import clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stand_in(settings):
    with StandIn() as stand_in:
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stand_in.url, stand_in.api_key
        yield stand_in


@pytest.fixture
def row(stand_in):
    """A customer, of whom two events of one second leave a gap in the path."""
    account = stand_in.client().v1.accounts.create({"type": "standard"}).id
    client = stand_in.client(stripe_account=account)
    stand_in.clock.freeze()
    made = client.v1.customers.create({"name": "a"})
    for name in "bcd":
        client.v1.customers.update(made.id, {"name": name})
    page = client.v1.events.list({"limit": 10}).last_response.body
    events = [json.dumps(e) for e in reversed(json.loads(page)["data"])]
    outcome = mirror(
        event_snapshot(parse_event(body), received_at=clock()) for body in (events[3], events[1])
    )
    assert len(outcome.unsettled) == 1
    return Customer.objects.unsettled().get()


def key(row):
    return (row.connect_account_id, row.livemode, row.stripe_id)


def test_stripe_is_asked_in_the_account_of_the_row(row):
    assert settle(Customer, key(row))
    row.refresh_from_db()
    assert (row.name, row.origin, row.settle_at) == ("d", "retrieve", None)


def test_what_is_due_is_settled_together(row):
    assert settle_due() == 1
    assert settle_due() == 0
    assert not Customer.objects.unsettled().exists()


def test_while_one_asks_another_does_not(row, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    Customer.objects.update(settle_at=Now() + lease())
    assert not settle(Customer, key(row))
    assert settle_due() == 0


def test_a_row_that_is_settled_is_not_asked_for(row, settings):
    settle(Customer, key(row))
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert settle(Customer, key(row))


def test_when_stripe_does_not_answer_it_is_asked_again_later(row, settings, caplog):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    before = timezone.now()
    assert not settle(Customer, key(row))
    row.refresh_from_db()
    assert row.settle_at > before + timedelta(seconds=30)
    assert (
        f"Could not settle customer {row.stripe_id} of account {row.connect_account_id}"
        in caplog.text
    )
    assert "sk_test" not in caplog.text


def test_the_longer_nothing_is_heard_the_longer_is_waited(row, settings):
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    for hours, least in ((1, 1), (100, 23)):
        Customer.objects.update(settle_at=Now(), received_at=Now() - timedelta(hours=hours))
        assert not settle(Customer, key(row))
        row.refresh_from_db()
        assert timedelta(hours=least) <= row.settle_at - timezone.now() + timedelta(minutes=1)
        assert row.settle_at - timezone.now() < timedelta(hours=24, minutes=1)


def test_one_row_that_breaks_stops_no_other(row, settings, caplog):
    calls = []

    def key_from_a_vault():
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("-".join(["vault", "down"]))
        return "sk_test_standin"

    settings.STRIPE_API_KEY = key_from_a_vault
    Customer.objects.create(
        connect_account_id="acct_0", stripe_id="cus_0", settle_at=Now() - timedelta(hours=1)
    )
    assert settle_due() == 1
    assert "ConnectionError" in caplog.text
    assert "vault-down" not in caplog.text


def test_without_a_key_it_stays_due_and_says_why(row, settings, caplog):
    settings.STRIPE_API_KEY = ""
    assert not settle(Customer, key(row))
    assert "There is no test key" in caplog.text


def test_an_object_that_stripe_no_longer_knows_is_deleted(row, stand_in):
    stand_in.reset()
    account = stand_in.client().v1.accounts.create({"type": "standard"}).id
    Customer.objects.update(connect_account_id=account)
    guess = row.name
    assert settle(Customer, (account, row.livemode, row.stripe_id))
    row.refresh_from_db()
    assert row.deleted_at
    assert row.name == guess, "the last state is kept"


def test_an_account_that_is_no_longer_ours_changes_nothing(row, stand_in, caplog):
    stand_in.reset()
    assert not settle(Customer, key(row))
    row.refresh_from_db()
    assert row.deleted_at is None
    assert row.settle_at
    assert "account_invalid" in caplog.text
