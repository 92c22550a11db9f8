"""The guarded statement: it decides as the ordering rule does, and holds under concurrent writers."""

import dataclasses
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, connections
from hypothesis import given, settings
from hypothesis import strategies as st

from django_stripe import Snapshot, mirror
from django_stripe.customer.models import Customer
from django_stripe.ordering import supersedes
from django_stripe.upsert import clock, rows, upsert

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def told(as_of=0, received=0.0, name="a", event="evt_1", stripe_id="cus_1"):
    return Snapshot(
        object="customer",
        account="acct_A",
        livemode=False,
        stripe_id=stripe_id,
        as_of=at(as_of),
        origin="event",
        received_at=at(received),
        payload=f'{{"id": "{stripe_id}", "object": "customer", "name": "{name}"}}',
        event_id=event,
    )


moments = st.integers(0, 24).map(lambda n: n / 4)


@st.composite
def known(draw):
    """An event, or an answer that took up to three seconds."""
    received = draw(moments)
    asked = draw(st.none() | st.integers(0, 12).map(lambda n: received - n / 4))
    fields = told(draw(st.integers(0, 6)), received)
    if asked is None:
        return fields
    return Snapshot(
        **{name: getattr(fields, name) for name in fields.__slots__}
        | {"event_id": "", "origin": "retrieve", "requested_at": at(asked)}
    )


@pytest.mark.django_db
@given(known(), known())
@settings(max_examples=400)
def test_the_statement_decides_as_the_rule_does(old, new):
    Customer.objects.all().delete()
    upsert(Customer, [old])
    (row,) = rows(Customer, [old.key]).values()
    written = bool(upsert(Customer, [new]))
    assert written is (supersedes(new, row) is True)


@pytest.mark.django_db
@given(known(), known(), known())
@settings(max_examples=200)
def test_what_a_row_remembers_is_enough_to_know_what_came_before_it(first, second, third):
    """Once a later state is written, nothing that was known to be before an earlier one is let in."""
    Customer.objects.all().delete()
    upsert(Customer, [first])
    if upsert(Customer, [second]) and supersedes(third, first) is False and first.requested_at:
        came_before = third.received_at < first.requested_at
        assert not (came_before and upsert(Customer, [third]))


@pytest.mark.django_db
def test_a_batch_is_one_statement_whatever_its_size():
    batch = [told(stripe_id=f"cus_{n}") for n in range(1000)]
    assert upsert(Customer, batch) == 1000
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT (xmin::text, cmin::text)) FROM stripe_customer")
        assert cursor.fetchone() == (1,)


@pytest.mark.django_db
def test_each_row_of_a_batch_gets_what_is_its_own():
    """Of those that Stripe itself said are deleted, older events still tell the last state."""
    batch = [
        dataclasses.replace(
            told(stripe_id=f"cus_{n}"), event_id="", origin="retrieve", deleted=n % 2 == 0
        )
        for n in (3, 0, 2, 1)
    ]
    upsert(Customer, batch)
    leaning = Customer.objects.filter(leans_on_prior=True).values_list("stripe_id", flat=True)
    assert sorted(leaning) == ["cus_0", "cus_2"]


@pytest.mark.django_db
def test_the_database_says_what_time_it_is():
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=60)


@pytest.mark.django_db(transaction=True)
def test_writers_at_the_same_time_neither_deadlock_nor_let_an_older_state_win():
    ids = [f"cus_{n}" for n in range(50)]
    errors = []

    def write(numbers):
        try:
            for n in numbers:
                mirror(told(n, n, f"n{n}", f"evt_{n}", stripe_id) for stripe_id in reversed(ids))
        except DatabaseError as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=[range(k, 24, 4)]) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(Customer.objects.values_list("name", flat=True)) == {"n23"}
    assert Customer.objects.count() == len(ids)
