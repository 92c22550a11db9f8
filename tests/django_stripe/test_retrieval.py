"""Asking Stripe for a row's object: in whose account, and what becomes of the answer."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from connect.testing import StandIn
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.checkout_session.models import CheckoutSession
from django_stripe.customer.models import Customer
from django_stripe.refusal import PayloadRefused

pytestmark = pytest.mark.django_db


@pytest.fixture
def stand_in(settings) -> Iterator[StandIn]:
    with StandIn() as stand_in:
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stand_in.url, stand_in.api_key
        yield stand_in


@pytest.fixture
def merchant(stand_in) -> str:
    account = stand_in.client().v1.accounts.create({"type": "standard"})
    stand_in.onboard(account.id)
    return account.id


class Recorder(ThreadingHTTPServer):
    """Answers every GET with `answer`, and remembers what it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        super().__init__(("127.0.0.1", 0), Answering)


class Answering(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Stripe-Account")))
        body = self.server.answer.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def recorder(settings):
    with Recorder('{"id": "ch_1", "object": "charge"}') as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.server_address[1]}"
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        (Charge(stripe_id="ch_1", connect_account_id="acct_A"), ("/v1/charges/ch_1", "acct_A")),
        (Charge(stripe_id="ch_1"), ("/v1/charges/ch_1", None)),
        (
            CheckoutSession(stripe_id="cs_1", connect_account_id="acct_A"),
            ("/v1/checkout/sessions/cs_1", "acct_A"),
        ),
        (Account(stripe_id="acct_A", connect_account_id="acct_A"), ("/v1/accounts/acct_A", None)),
        (Account(stripe_id="acct_P"), ("/v1/account", None)),
        (
            Charge(stripe_id="a/../b?c", connect_account_id="acct_A"),
            ("/v1/charges/a%2F..%2Fb%3Fc", "acct_A"),
        ),
    ],
    ids=[
        "connected",
        "platform",
        "nested name",
        "connected account",
        "platform account",
        "hostile id",
    ],
)
def test_it_is_asked_for_in_the_account_of_the_row(recorder, row, asked):
    recorder.answer = json.dumps({"id": row.stripe_id, "object": row.stripe_object})
    row.retrieve_data_from_stripe()
    assert recorder.asked == [asked]


def test_the_answer_is_returned_stored_and_stamped_with_the_row_not_with_the_json(recorder):
    value = {"id": "ch_1", "object": "charge", "amount": 5, "livemode": True, "account": "acct_B"}
    recorder.answer = json.dumps(value)
    row = Charge(stripe_id="ch_1", connect_account_id="acct_A")
    assert row.retrieve_data_from_stripe() == value
    stored = Charge.objects.get()
    assert (stored.connect_account_id, stored.livemode, stored.origin) == (
        "acct_A",
        False,
        "retrieve",
    )
    assert (row.pk, row.amount, row.data) == (stored.pk, 5, value)
    row.full_clean()


def test_decimals_are_stored_as_they_were_sent(recorder):
    recorder.answer = '{"id": "ch_1", "object": "charge", "exchange_rate": 1.1000}'
    Charge(stripe_id="ch_1").retrieve_data_from_stripe()
    with connection.cursor() as cursor:
        cursor.execute("SELECT data ->> 'exchange_rate' FROM stripe_charge")
        assert cursor.fetchone() == ("1.1000",)


def test_an_answer_about_another_object_is_refused(recorder):
    """A connected account's row without its account would ask for the platform's own."""
    recorder.answer = '{"id": "acct_platform", "object": "account"}'
    with pytest.raises(
        ValueError, match="Asked for account acct_A, Stripe answered with acct_platform"
    ):
        Account(stripe_id="acct_A").retrieve_data_from_stripe()
    assert not Account.objects.exists()


def test_it_updates_the_row_that_is_there(stand_in, merchant):
    client = stand_in.client(stripe_account=merchant)
    made = client.v1.customers.create({"name": "before"})
    row = Customer(stripe_id=made.id, connect_account_id=merchant)
    row.retrieve_data_from_stripe()
    client.v1.customers.update(made.id, {"name": "after"})
    assert row.retrieve_data_from_stripe()["name"] == "after"
    assert (row.name, Customer.objects.count()) == ("after", 1)


def test_another_accounts_object_is_not_found(stand_in, merchant):
    made = stand_in.client(stripe_account=merchant).v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        Customer(stripe_id=made.id).retrieve_data_from_stripe()
    assert not Customer.objects.exists()


def test_a_deleted_object_becomes_a_tombstone_that_keeps_the_last_state(stand_in, merchant):
    client = stand_in.client(stripe_account=merchant)
    made = client.v1.customers.create({"name": "Ada"})
    row = Customer(stripe_id=made.id, connect_account_id=merchant)
    row.retrieve_data_from_stripe()
    client.v1.customers.delete(made.id)
    assert row.retrieve_data_from_stripe() == {"id": made.id, "object": "customer", "deleted": True}
    assert row.deleted_at
    assert row.name == "Ada"


def test_a_live_row_is_not_asked_for_with_a_test_key(recorder):
    with pytest.raises(ImproperlyConfigured, match="no live key"):
        Charge(stripe_id="ch_1", livemode=True).retrieve_data_from_stripe()
    assert recorder.asked == []


def test_each_mode_is_asked_for_with_its_key(recorder, settings):
    settings.STRIPE_API_KEY = {"live": lambda: "rk_live_x", "test": "sk_test_x"}
    for livemode in (True, False):
        Charge(stripe_id="ch_1", livemode=livemode).retrieve_data_from_stripe()
    assert Charge.objects.live().count() == Charge.objects.test().count() == 1


class TestProcessData:
    EVENT = {
        "id": "evt_1",
        "object": "event",
        "type": "charge.updated",
        "account": "acct_A",
        "livemode": False,
        "created": 1_700_000_000,
        "data": {"object": {"id": "ch_1", "object": "charge", "amount": 7}},
    }

    @pytest.mark.parametrize(
        "event",
        [EVENT, stripe.Event.construct_from(EVENT, "sk_test_x")],
        ids=["dict", "stripe.Event"],
    )
    def test_it_takes_the_account_from_the_envelope(self, event):
        row = Charge()
        row.process_data(event)
        assert (row.connect_account_id, row.stripe_id, row.amount) == ("acct_A", "ch_1", 7)
        assert Charge.objects.get() == row

    def test_an_older_event_leaves_the_row_as_it_is_and_the_instance_says_so(self):
        row = Charge()
        row.process_data(self.EVENT)
        older = {"id": "ch_1", "object": "charge", "amount": 1}
        row.process_data(
            self.EVENT | {"id": "evt_0", "created": 1_600_000_000, "data": {"object": older}}
        )
        assert row.amount == 7

    def test_an_event_about_another_object_is_refused(self):
        with pytest.raises(
            ValueError, match="Event evt_1 is about charge 'ch_1', not about charge 'ch_2'"
        ):
            Charge(stripe_id="ch_2").process_data(self.EVENT)
        with pytest.raises(ValueError, match="not about customer"):
            Customer().process_data(self.EVENT)
        assert not Charge.objects.exists()

    def test_a_row_of_one_account_is_not_turned_into_anothers(self):
        row = Charge.objects.create(stripe_id="ch_1", connect_account_id="acct_B")
        with pytest.raises(ValueError, match="acct_B"):
            row.process_data(self.EVENT)
        row.refresh_from_db()
        assert row.data == {}

    def test_what_cannot_be_stored_is_said(self):
        value = {"id": "ch_1", "object": "charge", "amount": "much"}
        with pytest.raises(
            PayloadRefused, match="charge ch_1: invalid input syntax for type bigint"
        ):
            Charge().process_data(self.EVENT | {"data": {"object": value}})
