"""`connect_replay`: what becomes of an event."""

import pytest
from django.db import connection

import connect
from connect import replay
from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.customer.models import Customer
from tests.conftest import NOW_UNIX, customer
from tests.connect.replay.conftest import State, replayed, run

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_has_all_its_attempts_before_it_and_its_error_until_it_is_done(inbox):
    said = run("--state", "failed")
    event = InboxEvent.objects.get(event_id="evt_000002")
    assert (event.state, event.attempts, event.next_attempt_at) == (State.RECEIVED, 0, None)
    assert event.error == "hear: ValueError"
    assert "connect_worker" in said
    Worker().run_once()
    event.refresh_from_db()
    assert (event.state, event.error) == (State.PROCESSED, "")


def test_one_that_was_done_is_mirrored_again(deliver):
    deliver("customer.created", customer())
    Customer.objects.all().delete()
    said = run("--account", "acct_A")
    assert Customer.objects.get().stripe_id == "cus_1"
    assert "Of these, now: 1 processed." in said


def test_where_workers_process_it_drains_only_when_told(deliver, kept):
    deliver("customer.created", customer())
    InboxEvent.objects.update(state=State.FAILED)
    run("--state", "failed")
    assert replayed() == [1]
    assert "Of these, now: 1 processed." in run("--state", "received", "--drain")
    assert Customer.objects.count() == 1


def test_many_are_put_back_by_batches_and_what_comes_meanwhile_is_left_out(
    deliver, kept, monkeypatch
):
    monkeypatch.setattr(replay, "BATCH_EVENTS", 2)
    for number in range(5):
        deliver("customer.created", customer(f"cus_{number}"))
    InboxEvent.objects.update(state=State.FAILED)
    sizes = []
    for batch in replay.replay(replay.Selection(states=("failed",))):
        sizes.append(len(batch))
        deliver("customer.created", customer("cus_new"))
        InboxEvent.objects.filter(object_id="cus_new").update(state=State.FAILED)
    assert sizes == [2, 2, 1]
    assert replayed() == [1, 2, 3, 4, 5]
    assert replay.states_of(list(InboxEvent.objects.values_list("id", flat=True))) == {
        "failed": 3,
        "received": 5,
    }


def test_one_that_a_worker_gets_done_meanwhile_is_left_alone(deliver, kept):
    deliver("customer.created", customer())
    InboxEvent.objects.update(state=State.FAILED)
    selection = replay.Selection(states=("failed",))
    (inbox_id,) = InboxEvent.objects.values_list("id", flat=True)
    batches = replay.replay(selection)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("UPDATE connect_inboxevent SET state = 'processed'")
        replay.make_due([inbox_id], selection.states_taken)
    finally:
        other.close()
    assert InboxEvent.objects.get().state == State.PROCESSED
    assert list(batches) == []


def test_events_are_replayed_in_the_order_in_which_they_came(deliver, routes, kept):
    heard = []
    connect.on("*")(lambda event: heard.append(event.object["metadata"]["number"]))
    for number in range(3):
        deliver(
            "customer.updated", customer(metadata={"number": number}), created=NOW_UNIX + number
        )
    Worker().run_once()
    run("--all", "--handlers-again", "--drain")
    assert heard == [0, 1, 2] * 2


def test_it_ends_where_workers_did_the_rest_meanwhile(deliver, kept, monkeypatch):
    monkeypatch.setattr(replay, "BATCH_EVENTS", 1)
    for number in range(3):
        deliver("customer.created", customer(f"cus_{number}"))
    InboxEvent.objects.update(state=State.FAILED)
    batches = replay.replay(replay.Selection(states=("failed",)))
    next(batches)
    InboxEvent.objects.filter(state=State.FAILED).update(state=State.PROCESSED)
    assert list(batches) == []
    assert replayed() == [1]
