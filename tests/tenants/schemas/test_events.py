"""An event becomes rows in the schema of its account, and waits where that is no merchant yet."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

import connect
from connect.context import look_in
from connect.models import InboxEvent, Lane
from connect.processing import UNKNOWN_ACCOUNT
from connect.testing import StandIn
from connect.unsettled import settle_due, settle_in_account
from connect.worker import Worker
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.platform import PLATFORM
from tenants import places
from tenants.provisioning import provision, replay_parked, retire
from tests.conftest import NOW_UNIX, customer
from tests.tenants.rows import A, B

NEW = "acct_1NEW"


@pytest.fixture(params=["inline", "worker"])
def process(request, settings):
    """Have what was delivered processed: at once, or by a worker."""
    settings.CONNECT_PROCESSING = request.param
    return (lambda: None) if request.param == "inline" else (lambda: Worker().run_once())


def charge(stripe_id):
    return {"id": stripe_id, "object": "charge", "created": NOW_UNIX, "amount": 1}


def states():
    return list(InboxEvent.objects.order_by("id").values_list("state", flat=True))


def parked(account):
    events = InboxEvent.objects.filter(connect_account_id=account, state="parked")
    return list(events.values_list("error", flat=True))


def test_it_lands_in_the_schema_of_its_account(truth, deliver, process):
    for account in (A, B, A):
        deliver("charge.succeeded", charge(f"ch_{len(states())}"), account=account)
    deliver.post(
        deliver.event("charge.succeeded", charge("ch_own"), account=None), endpoint="platform"
    )
    process()
    assert states() == ["processed"] * 4
    assert truth.charges(A) == {"ch_0", "ch_2"}
    assert truth.charges(B) == {"ch_1"}
    assert truth.charges("platform") == {"ch_own"}


def test_accounts_are_mirrored_in_the_shared_schema(truth, deliver, process):
    deliver("account.updated", {"id": A, "object": "account", "created": 1}, account=A)
    process()
    assert truth("SELECT connect_account_id FROM public.stripe_account") == [(A,)]
    with connect.account(B):
        assert Account.objects.for_account(A).exists()


def test_handlers_are_in_the_schema_of_the_account(truth, deliver, process, routes):
    found = []

    @connect.on("charge.*")
    def hear(event):
        found.append((event.account, Charge.objects.get().stripe_id, event.find_row().stripe_id))

    for account in (A, B):
        deliver("charge.succeeded", charge(f"ch_{account}"), account=account)
    process()
    assert states() == ["processed"] * 2
    assert found == [(account, f"ch_{account}", f"ch_{account}") for account in (A, B)]


def test_what_came_before_the_merchant_waits_for_it(truth, deliver, process):
    account = {"id": NEW, "object": "account", "created": NOW_UNIX}
    deliver("account.updated", account, account=NEW)
    deliver("charge.succeeded", charge("ch_1"), account=NEW)
    deliver("charge.succeeded", charge("ch_2"), account=A)
    process()
    assert parked(NEW) == [UNKNOWN_ACCOUNT] * 2
    assert truth.charges(A) == {"ch_2"}
    assert Account.objects.count() == 0
    provision(NEW)
    process()
    assert states() == ["processed"] * 3
    assert truth.charges(NEW) == {"ch_1"}
    assert Account.objects.get().connect_account_id == NEW


def test_what_somebody_else_parked_stays_parked(truth, deliver):
    deliver("charge.succeeded", charge("ch_1"), account=NEW)
    InboxEvent.objects.update(error="Parked by staff.")
    provision(NEW)
    assert parked(NEW) == ["Parked by staff."]


def test_an_event_of_an_account_that_names_no_schema_waits_too(truth, deliver, process):
    deliver("charge.succeeded", charge("ch_1"), account='acct_"; DROP')
    process()
    assert parked('acct_"; DROP') == [UNKNOWN_ACCOUNT]


def test_a_retired_merchants_events_wait_until_it_is_back(truth, deliver, process):
    retire(A)
    deliver("charge.succeeded", charge("ch_1"), account=A)
    process()
    assert parked(A) == [UNKNOWN_ACCOUNT]
    assert truth.charges(A) == set()
    provision(A)
    process()
    assert truth.charges(A) == {"ch_1"}


def test_a_merchant_may_be_retired_by_a_handler(truth, deliver, process, routes):
    @connect.on("account.application.deauthorized")
    def leave(event):
        retire(event.account)

    application = {"id": "ca_1", "object": "application"}
    deliver("account.application.deauthorized", application, account=A)
    process()
    assert states() == ["processed"]
    assert places.find_state(A) == "retired"


def test_replaying_waits_for_whoever_is_parking(truth, deliver, settings):
    """A worker that did not find the merchant may still have to commit that it parked the event."""
    settings.CONNECT_PROCESSING = "worker"
    deliver("charge.succeeded", charge("ch_1"), account=NEW)
    Lane.objects.create(connect_account_id=NEW, livemode=False)
    replayed = []

    def replay():
        replayed.append(replay_parked(NEW))
        connection.close()

    thread = threading.Thread(target=replay)
    with transaction.atomic():
        Lane.objects.select_for_update().get()
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        InboxEvent.objects.update(state="parked", error=UNKNOWN_ACCOUNT)
    thread.join()
    assert replayed == [1]
    assert states() == ["received"]


def test_an_event_in_the_platforms_scope_about_a_new_merchant_waits_for_it(truth):
    for object_id in (NEW, B):
        InboxEvent.objects.create(
            connect_account_id="",
            livemode=False,
            event_id=f"evt_{object_id}",
            endpoint="thin",
            type="v2.core.account.updated",
            object_type="account",
            object_id=object_id,
            created=Now(),
            payload="{}",
            state="parked",
            error=UNKNOWN_ACCOUNT,
        )
    assert replay_parked(NEW) == 1


def test_what_the_events_do_not_tell_is_asked_in_the_account(
    truth, deliver, settings, caplog, turns
):
    with StandIn() as stripe:
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stripe.url, stripe.api_key
        made = {}
        for _ in range(places.IN_TURN + 2):
            account = stripe.client().v1.accounts.create({"type": "standard"}).id
            client = stripe.client(stripe_account=account)
            made[account] = client.v1.customers.create({"name": account}).id
        first, *_, last = sorted(made)
        for account in (first, last):
            provision(account)
            # Two states of one second, and no word of which came after the other.
            for name in ("one", "two"):
                value = customer(made[account], name=name)
                deliver("customer.updated", value, account=account)
        for account in (first, last):
            with connect.account(account):
                assert Customer.objects.get().data["name"] == account
                assert not Customer.objects.unsettled().exists()
                Customer.objects.update(settle_at=Now() - timedelta(seconds=1))
        assert settle_due() == 2
        key = (first, False, made[first])
        with connect.account(last):
            Customer.objects.update(settle_at=Now() - timedelta(seconds=1))
        # What is amiss with one keeps nobody else waiting.
        truth(
            f"ALTER TABLE \"{last}\".stripe_customer ADD CHECK (settle_at < '2020-01-01') NOT VALID"
        )
        with connect.account(first):
            Customer.objects.update(settle_at=Now() - timedelta(seconds=1))
        assert settle_due() == 1
        assert f"Could not settle customer ('{last}'" in caplog.text
        contexts = list(places.Turns()())
        look_in(lambda: contexts)
        retire(first)
        assert settle_due() == 0
        assert not settle_in_account(Customer, key)


@pytest.fixture
def turns():
    """Have those turns come back that a test has put others in place of."""
    before = list(connect.context._places)
    yield
    connect.context._places[:] = before


def test_every_merchant_has_its_turn(truth, monkeypatch):
    monkeypatch.setattr(places, "IN_TURN", 1)
    turns = places.Turns()
    found = []
    for _ in range(4):
        accounts = []
        for context in turns():
            with context:
                accounts.append(connect.current_account())
        found.append(accounts)
    assert found == [[PLATFORM, A], [PLATFORM, B], [PLATFORM], [PLATFORM, A]]


def test_a_merchant_that_retires_between_is_passed_over(truth):
    contexts = places.Turns()()
    retire(A)
    entered = []
    for context in contexts:
        try:
            with context:
                entered.append(connect.current_account())
        except connect.context.UnknownAccount:
            entered.append(None)
    assert entered == [PLATFORM, None, B]
