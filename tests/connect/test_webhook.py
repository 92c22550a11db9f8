"""The webhook endpoints: what is accepted, what is refused, and that nothing is lost."""

import json
import socket
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.customer.models import Customer
from tests.conftest import NOW_UNIX, customer

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def no_customer_can_be_written():
    """The database is at odds with us, which is no event's fault."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE stripe_customer ADD CONSTRAINT odds CHECK (false) NOT VALID")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE stripe_customer DROP CONSTRAINT odds")


def test_a_signed_event_becomes_a_row_of_its_account(deliver):
    deliver("customer.created", customer(email="a@example.com"), account="acct_A")
    row = Customer.objects.get()
    assert (row.connect_account_id, row.livemode, row.stripe_id) == ("acct_A", False, "cus_1")
    assert row.email == "a@example.com"
    assert row.data == customer(email="a@example.com")
    inbox = InboxEvent.objects.get()
    assert (inbox.state, inbox.error, inbox.object_id) == ("processed", "", "cus_1")


def test_an_event_without_an_account_is_the_platforms(deliver):
    assert deliver.post(deliver.event(account=None), endpoint="platform").status_code == 200
    assert Customer.objects.platform().count() == 1


def test_an_event_delivered_again_is_answered_and_not_stored_again(deliver):
    event = deliver.event()
    assert [deliver.post(event).status_code for _ in range(3)] == [200, 200, 200]
    assert InboxEvent.objects.count() == 1


def test_one_event_id_in_two_accounts_and_modes_is_three_events(deliver, settings):
    settings.CONNECT_LIVEMODE_POLICY = "accept"
    for account, livemode in [("acct_A", False), ("acct_B", False), ("acct_A", True)]:
        deliver(account=account, livemode=livemode, id="evt_same")
    assert InboxEvent.objects.count() == Customer.objects.count() == 3


def test_equal_ids_in_accounts_and_modes_are_rows_of_their_own_and_a_delete_touches_one(
    deliver, settings
):
    settings.CONNECT_LIVEMODE_POLICY = "accept"
    places = [(a, m) for a in ("acct_A", "acct_B", None) for m in (False, True)]
    for account, livemode in places:
        deliver("customer.created", customer("SUMMER"), account=account, livemode=livemode)
    deliver(
        "customer.deleted",
        customer("SUMMER"),
        account="acct_B",
        livemode=False,
        created=NOW_UNIX + 5,
    )
    rows = Customer.objects.filter(stripe_id="SUMMER")
    assert rows.count() == len(places)
    (gone,) = rows.exclude(deleted_at=None)
    assert (gone.connect_account_id, gone.livemode) == ("acct_B", False)
    assert gone.data == customer("SUMMER"), "the last state is kept"
    assert rows.alive().count() == len(places) - 1


def test_a_deleted_object_is_not_brought_back_by_an_older_event(deliver):
    deliver("customer.deleted", customer(), created=NOW_UNIX + 9)
    deliver("customer.updated", customer(name="late"), created=NOW_UNIX + 3, previous_attributes={})
    assert not Customer.objects.alive().exists()


def test_accepting_a_delivery_takes_at_most_two_statements(deliver, settings):
    settings.CONNECT_PROCESSING = "worker"
    body = json.dumps(deliver.event()).encode()
    with CaptureQueriesContext(
        connection,
    ) as statements:
        deliver.post(body)
    assert len(statements) <= 2, statements.captured_queries
    assert InboxEvent.objects.get().state == "received"


def test_an_unknown_type_and_an_unknown_object_are_kept(deliver):
    deliver("brand.new.thing", {"id": "bnt_1", "object": "brand.new"})
    deliver("balance.available", {"object": "balance", "available": []})
    assert list(InboxEvent.objects.values_list("state", flat=True)) == ["processed"] * 2


@pytest.mark.parametrize(
    ("policy", "state"), [("accept", "processed"), ("park", "parked"), ("ignore", "ignored")]
)
def test_events_of_a_mode_without_a_key_follow_the_policy(deliver, settings, policy, state):
    settings.CONNECT_LIVEMODE_POLICY = {"connect": policy}
    deliver(livemode=True)
    assert InboxEvent.objects.get().state == state
    assert Customer.objects.live().exists() is (policy == "accept")


@pytest.mark.parametrize("keys", [None, {"live": None, "test": None}, {}, ""])
def test_without_a_key_an_event_is_stored_all_the_same(deliver, settings, keys):
    settings.STRIPE_API_KEY = keys
    deliver()
    assert InboxEvent.objects.get().state == "parked"


def test_a_key_that_cannot_be_fetched_loses_no_event(deliver, settings, caplog):
    def key_from_a_vault():
        raise ConnectionError("-".join(["vault", "down"]))

    settings.STRIPE_API_KEY = key_from_a_vault
    deliver()
    assert InboxEvent.objects.get().state == "received"
    assert "ConnectionError" in caplog.text
    assert "vault-down" not in caplog.text
    settings.STRIPE_API_KEY = "sk_test_x"
    Worker().run_once()
    assert InboxEvent.objects.get().state == "processed"


def test_a_snapshot_event_takes_no_call_to_stripe(deliver, settings):
    """Nothing is answered: were it called, it would be seen here."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.getsockname()[1]}"
        for n, event_type in enumerate(
            ["customer.created", "customer.updated", "customer.deleted"]
        ):
            deliver(event_type, customer(), created=NOW_UNIX + n, previous_attributes={})
        with pytest.raises(TimeoutError):
            server.accept()


def test_get_is_not_allowed(deliver):
    assert deliver.client.get("/stripe/webhooks/connect/").status_code == 405


def test_one_event_that_breaks_stops_no_other(deliver, settings, caplog):
    settings.CONNECT_PROCESSING = "worker"
    deliver("customer.created", customer())
    deliver("charge.succeeded", {"id": "ch_1", "object": "charge"})
    with no_customer_can_be_written():
        assert Worker().run_once() == 2
    states = dict(InboxEvent.objects.values_list("object_type", "state"))
    assert states == {"customer": "failed", "charge": "processed"}
    broken = InboxEvent.objects.get(object_type="customer")
    assert (broken.error, broken.attempts) == ("IntegrityError", 1)
    assert broken.next_attempt_at
    InboxEvent.objects.update(next_attempt_at=broken.received_at)
    Worker().run_once()
    assert Customer.objects.count() == 1


def test_the_answer_stays_200_when_processing_breaks_and_the_event_is_due(deliver, caplog):
    with no_customer_can_be_written():
        deliver()
    assert "due again" in caplog.text
    assert InboxEvent.objects.get().state == "received"
    assert Worker().run_once() == 1
    assert Customer.objects.count() == 1
