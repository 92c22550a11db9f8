"""Handlers: when they hear, in whose account, and what becomes of one that fails."""

import json
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.models.functions import Now

import connect
from connect.models import InboxEvent
from connect.processing import process
from connect.signals import get_signal
from connect.worker import Worker
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.event import parse_event
from tests.conftest import customer

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_handler_hears_in_the_context_of_the_account_after_the_mirror(deliver, routes):
    heard = []

    @connect.on("customer.*")
    def hear(event):
        row = Customer.objects.for_account(connect.current_account()).get()
        heard.append((event.type, event.account, row.stripe_id))

    deliver("customer.created", customer(), account="acct_B")
    deliver("charge.succeeded", {"id": "ch_1", "object": "charge"}, account="acct_B")
    assert heard == [("customer.created", "acct_B", "cus_1")]


def test_a_duplicate_is_not_heard_again(deliver, routes):
    heard = []
    connect.on("*")(lambda event: heard.append(event.id))
    event = deliver.event()
    for _ in range(3):
        deliver.post(event)
    assert heard == [event["id"]]


def test_one_that_fails_stops_neither_the_mirror_nor_the_others_and_is_called_again_alone(
    deliver, routes, caplog
):
    calls = []

    @connect.on("*")
    def fails_once(event):
        Charge.objects.create(stripe_id=f"ch_{len(calls)}")
        calls.append("fails_once")
        if calls.count("fails_once") == 1:
            raise RuntimeError("-".join(["sk", "secret"]))

    @connect.on("*")
    def works(event):
        calls.append("works")

    deliver("customer.created", customer())
    assert Customer.objects.count() == 1
    assert not Charge.objects.exists(), "what it did to the database is undone"
    inbox = InboxEvent.objects.get()
    assert (inbox.state, inbox.attempts) == ("failed", 1)
    assert "fails_once: RuntimeError" in inbox.error
    assert "secret" not in inbox.error
    assert "RuntimeError" in caplog.text
    assert "sk-secret" not in caplog.text
    InboxEvent.objects.update(next_attempt_at=inbox.received_at)
    Worker().run_once()
    assert calls == ["fails_once", "works", "fails_once"]
    assert InboxEvent.objects.get().state == "processed"
    assert Charge.objects.count() == 1


def test_an_event_that_another_has_is_left_to_it(deliver, routes, settings):
    heard = []
    settings.CONNECT_PROCESSING = "worker"
    connect.on("*")(lambda event: heard.append(event.id))
    deliver()
    inbox_id = InboxEvent.objects.values_list("id", flat=True).get()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1 FROM connect_inboxevent FOR UPDATE")
        process(inbox_id)
    finally:
        other.rollback()  # the end of a connection is noticed some time later
        other.close()
    assert heard == []
    assert not Customer.objects.exists()
    process(inbox_id)
    assert len(heard) == Customer.objects.count() == 1


def test_an_async_handler_is_awaited_in_the_events_account_and_transaction(deliver, routes):
    @connect.on("customer.created")
    async def copies(event):
        row = await sync_to_async(event.find_row)()
        assert connect.current_account() == row.connect_account_id
        await Charge.objects.acreate(stripe_id=f"ch_{event.object_id}", connect_account_id="acct_A")
        if event.object["metadata"]:
            raise RuntimeError

    deliver("customer.created", customer())
    deliver("customer.created", customer("cus_2", metadata={"fail": "1"}))
    assert Charge.objects.get().stripe_id == "ch_cus_1"
    assert sorted(InboxEvent.objects.values_list("state", flat=True)) == ["failed", "processed"]


def test_one_that_nobody_would_await_fails(deliver, routes):
    async def work(event): ...

    connect.on("*")(lambda event: work(event))  # noqa: PLW0108 - what a decorator makes of it
    deliver()
    assert "TypeError" in InboxEvent.objects.get().error


def test_one_without_a_name_is_refused(routes):
    with pytest.raises(TypeError, match="no name to be remembered by"):
        connect.on("a.b")(partial(print, "x"))


def test_a_handler_is_named_once(routes):
    def make():
        def handler(event): ...

        return handler

    connect.on("a.b")(make())
    with pytest.raises(ValueError, match="two handlers named"):
        connect.on("a.b")(make())


@pytest.mark.parametrize(
    "pattern", ["", "*.x", "charge.", "charge*", "charge.*.x", "Charge.x", "a b"]
)
def test_a_pattern_that_could_never_fit_is_refused(routes, pattern):
    with pytest.raises(ValueError, match="no pattern of event types"):
        connect.on(pattern)


def test_patterns_are_types_prefixes_and_everything(deliver, routes):
    function = connect.on("payout.failed", "charge.*")(lambda event: None)
    (route,) = routes.values()
    assert route.handler is function
    wanted = ["payout.failed", "charge.refunded", "charge.dispute.created"]
    assert all(route.wants(parse_event(json.dumps(deliver.event(name)))) for name in wanted)
    others = ["payout.failed.x", "charges.x", "payout.paid", "charge"]
    assert not any(route.wants(parse_event(json.dumps(deliver.event(name)))) for name in others)


def test_an_object_type_takes_whatever_is_about_such_an_object(deliver, routes):
    heard = []
    connect.on("payout.*", object_type="charge")(lambda event: heard.append(event.type))
    deliver("payment.created", {"id": "py_1", "object": "charge"})
    deliver("charge.refund.updated", {"id": "re_1", "object": "refund"})
    deliver("payout.paid", {"id": "po_1", "object": "payout"})
    assert heard == ["payment.created", "payout.paid"]
    with pytest.raises(ValueError, match="no name of a Stripe object"):
        connect.on(object_type="Charge!")


def test_a_signal_is_a_handler_that_is_called_again_if_a_receiver_fails(deliver, routes):
    heard = []

    def receiver(event, **kwargs):
        heard.append((event.id, connect.current_account()))
        if len(heard) == 1:
            raise RuntimeError

    signal = get_signal("customer.created")
    signal.connect(receiver)
    try:
        deliver("customer.created", customer())
        deliver("customer.updated", customer(), previous_attributes={})
        InboxEvent.objects.filter(state="failed").update(next_attempt_at=Now())
        Worker().run_once()
    finally:
        signal.disconnect(receiver)
    assert heard == [("evt_000001", "acct_A")] * 2
    assert list(InboxEvent.objects.values_list("state", flat=True)) == ["processed"] * 2
