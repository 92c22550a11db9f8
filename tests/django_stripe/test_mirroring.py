"""The one write: whatever is in a batch, each snapshot is its own."""

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, connections, transaction

from django_stripe import Snapshot, mirror
from django_stripe.customer.models import Customer
from django_stripe.envelope import InvalidEvent
from django_stripe.event import as_event, parse_event
from django_stripe.mirroring import mirror_one
from django_stripe.refusal import PayloadRefused

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
UNSTORABLE = "\\u0000"


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def told(second, name, event="", stripe_id="cus_1", **fields):
    """A state told by the event `event`, or, without one, by an answer that took no time."""
    payload = f'{{"id": "{stripe_id}", "object": "customer", "name": "{name}"}}'
    return Snapshot(
        **{
            "object": "customer",
            "account": "acct_A",
            "livemode": False,
            "stripe_id": stripe_id,
            "as_of": at(second),
            "origin": "event" if event else "retrieve",
            "received_at": at(second),
            "requested_at": None if event else at(second),
            "payload": payload,
            "event_id": event,
        }
        | fields
    )


@pytest.mark.django_db
def test_events_and_answers_of_one_object_in_one_batch_take_their_turns():
    outcome = mirror(
        [told(1, "a", "evt_1"), told(9, "c"), told(5, "b", "evt_5"), told(12, "d", "evt_12")]
    )
    assert Customer.objects.get().name == "d"
    assert (outcome.written, outcome.unchanged, outcome.unsettled) == (3, 1, [])


@pytest.mark.django_db
def test_of_several_states_of_one_object_a_bad_one_costs_itself():
    outcome = mirror([told(1, "a", "evt_1"), told(3, UNSTORABLE, "evt_3"), told(2, "b", "evt_2")])
    assert [r.snapshot.event_id for r in outcome.refused] == ["evt_3"]
    assert Customer.objects.get().name == "b"


@pytest.mark.django_db
def test_what_nobody_mirrors_or_has_no_id_is_counted_and_left():
    snapshots = [told(1, "a", "evt_1", object="unheard.of"), told(1, "a", "evt_2", stripe_id="")]
    assert mirror(snapshots).not_installed == 2
    assert mirror_one(snapshots[0]).not_installed == 1


@pytest.mark.django_db
def test_a_single_one_that_cannot_be_stored_says_why_and_quotes_nothing():
    with pytest.raises(PayloadRefused, match="u0000"), transaction.atomic():
        mirror_one(told(1, UNSTORABLE, "evt_1"))
    outcome = mirror([told(1, "Ada" + UNSTORABLE, "evt_1")])
    assert "Ada" not in repr(outcome.refused)


@pytest.mark.django_db(transaction=True)
def test_two_transactions_with_the_same_rows_in_opposite_orders_do_not_deadlock():
    ids = [f"cus_{n:04}" for n in range(2200)]
    errors = []

    def write(second, order):
        try:
            with transaction.atomic():
                mirror([told(second, "a", f"evt_{second}", stripe_id) for stripe_id in order])
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=write, args=(1, ids)),
        threading.Thread(target=write, args=(2, ids[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(Customer.objects.values_list("event_id", flat=True)) == {"evt_2"}


def test_an_event_is_taken_in_whatever_form_one_has_it():
    envelope = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "livemode": False,
        "created": 1,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
    }
    event = as_event(envelope)
    assert as_event(event) is event
    assert parse_event(event.body).object_id == "cus_1"
    with pytest.raises(InvalidEvent, match="pass the JSON that Stripe sent"):
        as_event(envelope | {"data": {"object": {"rate": Decimal("1.10")}}})
