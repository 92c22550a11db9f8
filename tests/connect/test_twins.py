"""Twins: a snapshot endpoint and a thin one tell of the same change, and nothing is done twice."""

import threading
from contextlib import contextmanager

import pytest
from django.db import connection
from django.db.models.functions import Now

import connect
from connect.models import InboxEvent
from connect.processing import process
from connect.signals import get_signal
from connect.worker import Worker
from django_stripe.customer.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def twins(thin, merchant):
    """The two events of one change, as (event, endpoint)."""
    options = {"stripe_account": merchant}
    thin.stripe.client().v1.customers.create({"name": "Ann"}, options)
    snapshot = thin.last_snapshot("customer.created", merchant)
    thin.asked()
    return [(snapshot, "connect"), (thin.last("v1.customer.created", merchant), "thin")]


@pytest.fixture
def heard(routes):
    """Which events a handler of both is called for."""
    types = []
    connect.on("customer.*")(lambda event: types.append(event.type))
    return types


def states():
    return list(InboxEvent.objects.order_by("id").values_list("state", flat=True))


@contextmanager
def waiting(count):
    """Wait until so many wait for a twin."""
    sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute(sql)
            if cursor.fetchone()[0] == count:
                yield
                return
            threading.Event().wait(0.01)
        raise AssertionError("nobody waits")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("processing", ["inline", "worker"])
def test_a_handler_is_called_for_whichever_comes_first(
    thin, twins, heard, settings, order, processing
):
    settings.CONNECT_PROCESSING = processing
    for event, endpoint in twins[::order]:
        thin.take(event, endpoint)
        Worker().run_once()
    assert len(heard) == 1
    assert states() == ["processed"] * 2
    assert Customer.objects.get().name == "Ann"
    assert InboxEvent.objects.get(endpoint="thin").snapshot_event_id == twins[0][0]["id"]


def test_both_at_once_in_a_lane_are_one(thin, twins, heard, settings):
    settings.CONNECT_PROCESSING = "worker"
    for event, endpoint in twins:
        thin.take(event, endpoint)
    Worker().run_once()
    assert (len(heard), states()) == (1, ["processed"] * 2)


@pytest.mark.parametrize("first", [0, 1])
def test_both_at_the_same_moment_wait_for_each_other(thin, twins, routes, settings, first):
    settings.CONNECT_PROCESSING = "worker"
    ids = [thin.take(event, endpoint).id for event, endpoint in twins]
    heard, entered, leave = [], threading.Event(), threading.Event()

    @connect.on("customer.created")
    def hear(event):
        heard.append(event.type)
        entered.set()
        assert leave.wait(20)

    def work(inbox_id):
        try:
            process(inbox_id)
        finally:
            connection.close()

    # The snapshot event alone does not know of its twin before that was retrieved.
    threads = [threading.Thread(target=work, args=(ids[i],)) for i in (first, 1 - first)]
    threads[0].start()
    assert entered.wait(20)
    threads[1].start()
    try:
        with waiting(1):
            pass
    finally:
        leave.set()
        for thread in threads:
            thread.join(20)
    assert (len(heard), states()) == (1, ["processed"] * 2)


def test_what_one_could_not_do_the_other_does(thin, twins, routes):
    calls = []

    @connect.on("customer.created")
    def fails_once(event):
        calls.append(event.type)
        if len(calls) == 1:
            raise RuntimeError

    for event, endpoint in twins:
        thin.take(event, endpoint)
    assert states() == ["failed", "processed"]
    InboxEvent.objects.filter(state="failed").update(next_attempt_at=Now())
    Worker().run_once()
    assert calls == ["customer.created", "v1.customer.created"]
    assert states() == ["processed"] * 2


def test_the_receivers_of_a_signal_hear_once_too(thin, twins, routes):
    heard = []

    def receiver(event, **kwargs):
        heard.append(event.type)

    signal = get_signal("customer.created")
    signal.connect(receiver)
    try:
        for event, endpoint in twins:
            thin.take(event, endpoint)
    finally:
        signal.disconnect(receiver)
    assert heard == ["customer.created"]


class TestWhatTheTwinIs:
    """The event is fetched for it, where it matters and is not told."""

    def asked(self, thin, event):
        """Take the thin event; return whether Stripe was asked for the event itself."""
        inbox = thin.take(event)
        return any(path == f"/v2/core/events/{inbox.event_id}" for path, _ in thin.asked())

    def test_it_is_asked_for_in_the_context_of_the_event(self, thin, merchant, twins, heard):
        thin.take(*twins[1])
        assert thin.asked()[-1] == (f"/v2/core/events/{twins[1][0]['id']}", merchant)

    def test_it_is_not_asked_for_where_it_was_pushed(self, thin, twins, heard):
        event = twins[1][0] | {"snapshot_event": "evt_pushed"}
        assert not self.asked(thin, event)
        assert InboxEvent.objects.get().snapshot_event_id == "evt_pushed"

    def test_it_does_not_matter_where_no_handler_wants_either(self, thin, twins, routes):
        connect.on("payout.*")(lambda event: None)
        assert not self.asked(thin, twins[1][0])

    def test_it_does_not_matter_to_a_handler_of_thin_events_alone(self, thin, twins, routes):
        heard = []
        connect.on("v1.customer.created")(lambda event: heard.append(event.type))
        assert not self.asked(thin, twins[1][0])
        thin.take(*twins[0])
        assert heard == ["v1.customer.created"]

    def test_it_does_not_matter_where_no_snapshots_are_delivered(
        self, thin, twins, heard, settings
    ):
        settings.STRIPE_WEBHOOK_SECRETS = {"thin": thin.secrets["thin"]}
        assert not self.asked(thin, twins[1][0])

    def test_v2_has_none(self, thin, merchant, routes):
        connect.on("*")(lambda event: None)
        assert not self.asked(thin, thin.last("v2.core.account.created"))

    def test_where_stripe_does_not_answer_it_is_asked_again(self, thin, twins, heard):
        thin.stripe.fault("unavailable", path="/v2/core/events/*")
        inbox = thin.take(*twins[1])
        assert (inbox.state, "HTTP 503" in inbox.error, heard) == ("failed", True, [])

    def test_where_stripe_has_none_the_event_is_heard(self, thin, twins, heard):
        event = twins[1][0] | {"id": "evt_of_no_one"}
        inbox = thin.take(event)
        assert (inbox.state, inbox.snapshot_event_id, len(heard)) == ("processed", "", 1)
