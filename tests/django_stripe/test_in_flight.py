"""Convergence with answers in flight: asked for, read, dated, received and written at moments of their own.

A history of one object is told by events and by answers, each of which takes its time to be delivered and
again to be written. All that was received is remembered; in the end everything was. Then a row that nobody
is to be asked about is what the object is.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from django_stripe import Snapshot, mirror, ties
from django_stripe.customer.models import Customer

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = {"object": "customer", "account": "acct_A", "livemode": False, "stripe_id": "cus_1"}


def at(seconds):
    return NOON + timedelta(seconds=seconds)


@dataclass
class Told:
    snapshot: Snapshot
    received: float
    written: float


def soon_or_late(chance, late):
    return chance.choice([chance.uniform(0.01, 0.3), chance.uniform(0.01, late)])


def told(chance, as_of, received, value, **fields):
    snapshot = Snapshot(
        **KEY, as_of=at(int(as_of)), received_at=at(received), payload=json.dumps(value), **fields
    )
    return Told(snapshot, received, received + chance.choice([0, chance.uniform(0, 2)]))


@dataclass
class Story:
    chance: Random
    silent: float
    deleted: bool

    def tell(self):
        """Return everything that is told of a customer, and its name in the end, None if it is deleted."""
        moment, name, names = self.chance.uniform(0, 0.9), "p", [(-100.0, "p")]
        everything = []
        changes = self.chance.randint(2, 5)
        for n in range(changes):
            moment += self.chance.choice(
                [self.chance.uniform(0.01, 0.3)] * 2 + [self.chance.uniform(0.5, 2)]
            )
            last = self.deleted and n == changes - 1
            after = None if last else self.chance.choice([x for x in "abcd" if x != name])
            everything.append(self.event(moment, name, after))
            names.append((moment, after))
            name = after
        for _ in range(self.chance.randint(1, 3)):
            everything.append(self.answer(moment, names))
        return everything, name

    def event(self, moment, before, after):
        data = {"object": {"id": "cus_1", "object": "customer", "name": after or before}}
        if after and self.chance.random() >= self.silent:
            data["previous_attributes"] = {"name": before}
        return told(
            self.chance,
            moment,
            moment + soon_or_late(self.chance, 4),
            {"data": data},
            path="{data,object}",
            origin="event",
            event_id=f"evt_{self.chance.randrange(10**9)}",
            event_type="customer.updated" if after else "customer.deleted",
            deleted=after is None,
        )

    def answer(self, end, names):
        asked = self.chance.uniform(0, end + 1)
        read = asked + self.chance.uniform(0.01, 0.5)
        dated = read + self.chance.uniform(0, 0.5)
        name = [name for since, name in names if since <= read][-1]
        value = {"id": "cus_1", "object": "customer"} | (
            {"name": name} if name else {"deleted": True}
        )
        return told(
            self.chance,
            dated,
            dated + soon_or_late(self.chance, 3),
            value,
            origin="retrieve",
            requested_at=at(asked),
            deleted=name is None,
        )


@pytest.fixture
def inbox():
    """What was received of the story so far, as the mirror remembers it."""
    histories, received = list(ties._histories), []

    def history(stripe_object, key, since, until):
        return [
            s
            for s in received
            if s.event_id and (since is None or since <= s.as_of) and s.as_of <= until
        ]

    ties.remember_events_with(history)
    yield received
    ties._histories[:] = histories


def live(inbox, everything):
    """Write everything when its time has come, with what was received by then in the inbox."""
    Customer.objects.all().delete()
    for now in sorted(everything, key=lambda t: t.written):
        inbox[:] = [t.snapshot for t in everything if t.received <= now.written]
        mirror([now.snapshot])


@given(
    chance=st.randoms(use_true_random=True),
    silent=st.sampled_from([0.0, 0.3]),
    deleted=st.booleans(),
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_row_that_is_settled_is_what_the_object_is(inbox, chance, silent, deleted):
    everything, name = Story(chance, silent, deleted).tell()
    live(inbox, everything)
    row = Customer.objects.get()
    event(f"settled: {row.settle_at is None}")
    if row.settle_at is None:
        assert (None if row.deleted_at else row.name) == name


def test_an_answer_asked_for_before_the_last_event_came_does_not_settle_a_tie_that_has_it(inbox):
    """It was read before that event happened, and must not pass for later because another was received first."""
    chance = Random(1)  # noqa: S311
    silent = Story(chance, silent=1.0, deleted=False)
    first, last = silent.event(0.1, "a", "b"), silent.event(0.3, "b", "c")
    events = [
        Told(
            Snapshot(**fields(t) | {"event_id": name, "received_at": at(received)}),
            received,
            received,
        )
        for t, name, received in ((first, "evt_2", 0.15), (last, "evt_1", 1.0))
    ]
    answer = silent.answer(0, [(-1.0, "a"), (0.1, "b")])
    answer = Told(
        Snapshot(
            **fields(answer) | {"as_of": NOON, "requested_at": at(0.2), "received_at": at(1.5)}
        ),
        1.5,
        1.5,
    )
    live(inbox, [*events, answer])
    row = Customer.objects.get()
    assert row.name == "c" or row.settle_at


def fields(told):
    return {name: getattr(told.snapshot, name) for name in Snapshot.__slots__}
