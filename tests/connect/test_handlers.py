"""Handlers: when they hear, in whose account, and what becomes of one that fails."""

from functools import partial

import pytest
from django.db import connection

import connect
from connect.models import InboxEvent
from connect.processing import process, process_due
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
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
    process_due()
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
        other.close()
    assert heard == []
    assert not Customer.objects.exists()
    process(inbox_id)
    assert len(heard) == Customer.objects.count() == 1


def test_one_that_nobody_would_await_is_refused(routes):
    async def handler(event): ...

    with pytest.raises(TypeError, match="no plain function"):
        connect.on("a.b")(handler)
    with pytest.raises(TypeError, match="no plain function"):
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


def test_patterns_are_types_prefixes_and_everything(routes):
    function = connect.on("payout.failed", "charge.*")(lambda event: None)
    (route,) = routes.values()
    assert route.handler is function
    wanted = ["payout.failed", "charge.refunded", "charge.dispute.created"]
    assert all(map(route.wants, wanted))
    assert not any(map(route.wants, ["payout.failed.x", "charges.x", "payout.paid", "charge"]))
