"""Convergence: whatever the order of arrival, the mirror ends in what Stripe holds.

Histories are made at the stand-in with the real SDK, several changes to a second, values that go there and
back, deletions; its events are then delivered in any order, any number of times, one by one or in batches,
with retrieves and lists in between, while the history still goes on.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connect.inbox import receive
from connect.models import InboxEvent
from connect.processing import process
from connect.testing import StandIn
from connect.worker import Worker
from django_stripe import mirror
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.event import parse_event
from django_stripe.payment_intent.models import PaymentIntent
from django_stripe.snapshot import Snapshot, event_snapshot
from django_stripe.upsert import clock
from tests.plugin import report

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = {"customer": Customer, "payment_intent": PaymentIntent, "charge": Charge}
ACCOUNTS = 2
START_UNIX = 1_800_000_000

TIES: Counter[str] = Counter()


@pytest.fixture(scope="module")
def stand_in():
    with StandIn(now=START_UNIX) as stand_in:
        yield stand_in
    asked = TIES["asked"] / max(1, TIES.total())
    report(
        f"ties: {TIES['decided']} decided by events, {TIES['asked']} ({asked:.1%}) by asking Stripe"
    )


@dataclass
class Life:
    """A marketplace whose history goes on while its events are under way."""

    stand_in: StandIn
    chance: Random
    accounts: list[str] = field(default_factory=list)
    customers: list[tuple[str, str]] = field(default_factory=list)
    removed: list[tuple[str, str]] = field(default_factory=list)

    def begin(self):
        self.stand_in.reset()
        self.stand_in.clock.set(START_UNIX)
        for model in (*MODELS.values(), InboxEvent):
            model.objects.all().delete()
        for _ in range(ACCOUNTS):
            account = self.stand_in.client().v1.accounts.create({"type": "standard"})
            self.accounts.append(account.id)
            self.stand_in.onboard(account.id)
        for _ in range(2):
            self.create()

    def client(self, account):
        return self.stand_in.client(stripe_account=account)

    def create(self):
        account = self.chance.choice(self.accounts)
        made = self.client(account).v1.customers.create({"metadata": {"at": "a"}})
        self.customers.append((account, made.id))

    def pay(self):
        self.client(self.chance.choice(self.accounts)).v1.payment_intents.create(
            {
                "amount": 1000,
                "currency": "usd",
                "payment_method": "pm_card_visa",
                "confirm": self.chance.random() < 0.7,
            }
        )

    def change(self):
        if self.customers:
            account, stripe_id = self.chance.choice(self.customers)
            value = {"metadata": {"at": self.chance.choice("abc")}}
            self.client(account).v1.customers.update(stripe_id, value)

    def remove(self):
        if self.customers:
            account, stripe_id = self.chance.choice(self.customers)
            self.customers.remove((account, stripe_id))
            self.removed.append((account, stripe_id))
            self.client(account).v1.customers.delete(stripe_id)

    def tick(self):
        self.stand_in.clock.advance(1)

    def events(self):
        """Every event so far about a mirrored object, as its JSON, oldest first."""
        found = []
        for account in self.accounts:
            # Not through the SDK's objects: to make a hundred of them takes longer than all the rest.
            page = self.stand_in.client().raw_request(
                "get", "/v1/events", limit=100, stripe_account=account
            )
            found += [
                json.dumps(event)
                for event in reversed(json.loads(page.body)["data"])
                if event["data"]["object"]["object"] in MODELS
            ]
        return found

    def deliver(self):
        if events := self.events():
            inbox_id = self.store(self.chance.choice(events))
            if inbox_id:
                self.count(process(inbox_id))

    def deliver_together(self):
        """A batch, as a worker takes it: one call for all of its rows."""
        events = self.events()
        batch = self.chance.choices(events, k=self.chance.randint(2, 8)) if events else []
        for body in batch:
            self.store(body)
        ids = {parse_event(body).id for body in batch}
        rows = InboxEvent.objects.filter(event_id__in=ids).values_list("payload", "received_at")
        outcome = mirror([event_snapshot(parse_event(p), received_at=at) for p, at in rows])
        self.count(outcome)
        InboxEvent.objects.filter(event_id__in=ids).update(state="processed")

    def store(self, body):
        return receive(parse_event(body), endpoint="connect")

    def retrieve(self):
        if everyone := self.customers + self.removed:
            account, stripe_id = self.chance.choice(everyone)
            Customer(connect_account_id=account, stripe_id=stripe_id).retrieve_data_from_stripe()

    def list_all(self):
        account = self.chance.choice(self.accounts)
        asked_at = clock()
        page = self.client(account).v1.customers.list({"limit": 100})
        response = page.last_response
        mirror(
            Snapshot(
                object="customer",
                account=account,
                livemode=False,
                stripe_id=value["id"],
                as_of=parsedate_to_datetime(response.headers["Date"]).astimezone(UTC),
                origin="list",
                received_at=clock(),
                requested_at=asked_at,
                payload=json.dumps(value),
            )
            for value in json.loads(response.body)["data"]
        )

    def end(self):
        """Deliver whatever is still under way, and let everything be settled."""
        bodies = self.events()
        self.chance.shuffle(bodies)
        for body in bodies:
            self.store(body)
        due = InboxEvent.objects.filter(state="received").order_by("id")
        for inbox_id in due.values_list("id", flat=True):
            self.count(process(inbox_id))
        Worker().run_once()
        unsettled = [row for model in MODELS.values() for row in model.objects.unsettled()]
        assert not unsettled, "what is due is settled by then"

    @staticmethod
    def count(outcome):
        TIES["decided"] += outcome.decided
        TIES["asked"] += len(outcome.unsettled)

    def mirrored(self):
        return {
            (row.connect_account_id, row.stripe_object, row.stripe_id): (
                row.data,
                bool(row.deleted_at),
            )
            for model in MODELS.values()
            for row in model.objects.all()
        }

    def held(self):
        """What Stripe holds; of what it deleted, the last state an event told of."""
        held = {}
        for body in self.events():
            event = parse_event(body)
            gone = event.type.endswith(".deleted")
            held[event.account, event.object_type, event.object_id] = (dict(event.object), gone)
        for account in self.accounts:
            for kind, objects in self.stand_in.state(account).items():
                for stripe_id, value in objects.items() if kind in MODELS else ():
                    if not value.get("deleted"):
                        held[account, kind, stripe_id] = (value, False)
        return held


HISTORY = ["change"] * 8 + ["pay", "pay", "create", "remove", "tick", "tick"]
ARRIVALS = ["deliver"] * 6 + ["deliver_together"] * 2
ANSWERS = ["retrieve", "list_all"] * 2
scripts = st.lists(st.sampled_from(HISTORY + ARRIVALS), min_size=15, max_size=40)
scripts_with_answers = st.lists(
    st.sampled_from(HISTORY + ARRIVALS + ANSWERS), min_size=15, max_size=40
)


def live(stand_in, settings_of_django, script, chance):
    settings_of_django.STRIPE_API_BASE = stand_in.url
    settings_of_django.STRIPE_API_KEY = stand_in.api_key
    life = Life(stand_in, chance)
    life.begin()
    for step in script:
        getattr(life, step)()
    life.end()
    assert life.mirrored() == life.held()


@given(scripts, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_any_order_of_delivery_ends_in_what_stripe_holds(stand_in, request, script, chance):
    live(stand_in, request.getfixturevalue("settings"), script, chance)


@given(scripts_with_answers, st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_so_it_does_with_retrieves_and_lists_in_between(stand_in, request, script, chance):
    live(stand_in, request.getfixturevalue("settings"), script, chance)
