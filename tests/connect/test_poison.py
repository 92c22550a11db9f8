"""Poison: one event in a hundred that cannot be stored, or whose handlers fail, costs itself and no other."""

import json

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

import connect
from connect.attempts import ATTEMPTS_MAX
from connect.inbox import receive
from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.customer.models import Customer
from django_stripe.event import parse_event
from tests.conftest import NOW_UNIX, customer

pytestmark = pytest.mark.django_db(transaction=True)

EVENTS = 200
EVERY = 100

UNSTORABLE = {
    "NUL": ('"metadata": {"a": "\\u0000"}', "jsonb holds no \\u0000", "22P05"),
    "surrogate": ('"metadata": {"a": "\\ud800"}', "invalid input syntax for type json", "22P02"),
    "number": ('"metadata": {"a": 1e999999}', "value overflows numeric format", "22003"),
    "column": ('"balance": "none"', "invalid input syntax for type", "22P02"),
    "key": (
        '"email": "' + "".join(f"{n:x}" for n in range(200_000, 240_000)) + '"',
        "index row requires",
        "54000",
    ),
}
"""What is in the object; how PostgreSQL says that it refuses it, and its code for that."""


def store(bodies, account="acct_A"):
    for number, body in enumerate(bodies):
        event = {
            "id": f"evt_{account}_{number:04}",
            "object": "event",
            "type": "customer.created",
            "account": account,
            "livemode": False,
            "created": NOW_UNIX,
            "data": {"object": customer(f"cus_{number:04}")},
        }
        text = json.dumps(event).replace('"metadata": {}', body or '"metadata": {}')
        assert receive(parse_event(text), endpoint="connect")


def is_poison(number):
    return number % EVERY == EVERY // 2


def poisoned(poison, events=EVENTS):
    return [poison if is_poison(number) else None for number in range(events)]


POISONED = sum(map(is_poison, range(EVENTS)))


@pytest.mark.parametrize(("poison", "words", "code"), UNSTORABLE.values(), ids=UNSTORABLE)
def test_what_jsonb_refuses_fails_with_a_reason_and_the_rest_is_processed(
    routes, poison, words, code
):
    heard = []
    connect.on("*")(lambda event: heard.append(event.id))
    store(poisoned(poison))
    store([None] * 3, account="acct_B")
    Worker().run_once()
    assert Customer.objects.count() == EVENTS - POISONED + 3
    done = InboxEvent.objects.filter(state="processed").values_list("event_id", flat=True)
    assert len(done) == EVENTS - POISONED + 3
    assert sorted(heard) == sorted(done), "handlers hear of what was mirrored"
    failed = InboxEvent.objects.filter(state="failed").order_by("id")
    assert len(failed) == POISONED
    for event in failed:
        assert event.error.startswith(f"customer {event.object_id}: "), "it says of what"
        assert words in event.error, "it says why"
        assert event.error.endswith(f"[{code}]")
        assert (event.attempts, event.next_attempt_at) == (1, None), "it would fail again"


def test_every_kind_of_poison_in_one_batch_is_told_apart(caplog):
    kinds = [poison for poison, _, _ in UNSTORABLE.values()]
    store([None, *kinds, None, *kinds, None])
    Worker().run_once()
    reasons = list(
        InboxEvent.objects.filter(state="failed").order_by("id").values_list("error", flat=True)
    )
    codes = [code for _, _, code in UNSTORABLE.values()]
    assert [reason[-6:-1] for reason in reasons] == codes * 2
    assert Customer.objects.count() == 3


def test_a_handler_that_fails_at_some_events_fails_them_alone_and_is_named(routes, caplog):
    heard = []

    @connect.on("*")
    def fails_at_some(event):
        if is_poison(int(event.id[-4:])):
            raise LookupError(event.id)

    connect.on("*")(lambda event: heard.append(event.id))
    store([None] * EVENTS)
    Worker().run_once()
    assert Customer.objects.count() == EVENTS, "the mirror has them all"
    assert len(heard) == EVENTS, "so has the other handler"
    failed = InboxEvent.objects.filter(state="failed")
    assert len(failed) == POISONED
    for event in failed:
        assert event.error.endswith("fails_at_some: LookupError")
        assert event.attempts
        assert event.next_attempt_at
    assert InboxEvent.objects.filter(state="processed").count() == EVENTS - POISONED
    for _ in range(ATTEMPTS_MAX):
        InboxEvent.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=Now())
        Worker().run_once()
    ended = set(failed.all().values_list("attempts", "next_attempt_at", "state"))
    assert ended == {(ATTEMPTS_MAX, None, "failed")}
    assert len(heard) == EVENTS, "nobody heard twice"


@pytest.mark.parametrize(("kind", "writes"), [("NUL", 1), ("number", 2 + POISONED)])
def test_the_rest_of_a_batch_is_not_written_over_and_over(kind, writes):
    store(poisoned(UNSTORABLE[kind][0]))
    with CaptureQueriesContext(connection) as statements:
        Worker().run_once()
    savepoints = [each["sql"] for each in statements if each["sql"].startswith("SAVEPOINT")]
    assert len(savepoints) == writes


def test_an_object_that_was_poisoned_once_is_mirrored_when_its_next_event_comes(deliver):
    poison = deliver.event("customer.updated", customer("cus_p", metadata={"a": "\0"}))
    assert deliver.post(poison).status_code == 200
    deliver("customer.updated", customer("cus_p", name="well"), created=NOW_UNIX + 1)
    assert Customer.objects.get().name == "well"
