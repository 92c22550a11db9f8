"""Events of one second, as they come through the inbox. Stripe cannot be reached here: the events decide alone."""

import itertools
import json
from datetime import UTC, datetime

import pytest

from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe import Snapshot, mirror
from django_stripe.customer.models import Customer
from django_stripe.upsert import clock
from tests.conftest import NOW_UNIX

pytestmark = pytest.mark.django_db(transaction=True)


def customer(name, **fields):
    return {"id": "cus_1", "object": "customer", "created": NOW_UNIX, "name": name} | fields


@pytest.fixture
def told(deliver):
    """Return an event: in `second`, the name went from `before` to `name`."""

    def make(name, before=None, *, second=0, event_type="customer.updated", **envelope):
        previous = (
            {} if event_type != "customer.updated" else {"previous_attributes": {"name": before}}
        )
        return deliver.event(
            event_type, customer(name), created=NOW_UNIX + second, **previous, **envelope
        )

    return make


def created(told, name, second=0):
    return told(name, second=second, event_type="customer.created")


def the_row():
    return Customer.objects.get()


def arrive(deliver, events):
    for event in events:
        assert deliver.post(event).status_code == 200


def start_again():
    Customer.objects.all().delete()
    InboxEvent.objects.all().delete()


def test_every_order_of_one_seconds_events_ends_in_their_path(deliver, told):
    path = [created(told, "a"), told("b", "a"), told("a", "b"), told("c", "a")]
    for order in itertools.permutations(path):
        start_again()
        arrive(deliver, order)
        row = the_row()
        assert (row.name, row.settle_at, row.event_id) == ("c", None, path[3]["id"])


def test_there_and_back_is_decided_by_the_state_before(deliver, told):
    before, there, back = created(told, "a"), told("b", "a", second=5), told("a", "b", second=5)
    for order in itertools.permutations([there, back]):
        start_again()
        arrive(deliver, [before, *order])
        assert (the_row().name, the_row().settle_at) == ("a", None)


def test_an_older_event_that_arrives_late_changes_what_leaned_on_the_state_before(deliver, told):
    before, between = created(told, "a"), told("b", "a", second=3)
    loop = [told("a", "b", second=5), told("b", "a", second=5)]
    arrive(deliver, [before, *loop])
    assert (the_row().name, the_row().leans_on_prior) == ("a", True)
    arrive(deliver, [between])
    assert (the_row().name, the_row().settle_at) == ("b", None)


def test_a_loop_whose_state_before_is_unknown_is_a_guess_until_stripe_is_asked(deliver, told):
    arrive(deliver, [told("a", "b"), told("b", "a")])
    assert the_row().settle_at


def test_what_was_a_guess_is_decided_when_the_missing_event_comes(deliver, told):
    first, second, third = created(told, "a"), told("b", "a"), told("c", "b")
    arrive(deliver, [third, first])
    assert the_row().settle_at
    arrive(deliver, [second])
    assert (the_row().name, the_row().settle_at) == ("c", None)


def test_a_newer_event_needs_no_tie_settled(deliver, told):
    arrive(deliver, [told("b", "a"), told("d", "c")])
    assert the_row().settle_at
    arrive(deliver, [told("e", "d", second=1)])
    assert (the_row().name, the_row().settle_at) == ("e", None)


def test_deleted_in_the_second_it_was_changed_in_it_is_deleted_in_any_order(deliver, told):
    """Recorded at Stripe: customer.updated and customer.deleted of one second."""
    events = [told("b", "a"), told("b", event_type="customer.deleted")]
    for order in itertools.permutations(events):
        start_again()
        arrive(deliver, order)
        assert the_row().deleted_at
        assert (the_row().name, the_row().settle_at) == ("b", None)


def test_a_tie_in_one_account_is_nothing_to_another(deliver, told):
    for account in ("acct_A", "acct_B"):
        arrive(deliver, [created(told, "a") | {"account": account, "id": f"evt_{account}"}])
    arrive(deliver, [told("b", "a", account="acct_A")])
    names = dict(Customer.objects.values_list("connect_account_id", "name"))
    assert names == {"acct_A": "b", "acct_B": "a"}


def answered_deleted(as_of):
    """Stripe answers that there is no customer any more."""
    stub = '{"id": "cus_1", "object": "customer", "deleted": true}'
    asked_at = clock()
    return Snapshot(
        object="customer",
        account="acct_A",
        livemode=False,
        stripe_id="cus_1",
        as_of=as_of,
        origin="retrieve",
        requested_at=asked_at,
        received_at=clock(),
        payload=stub,
        deleted=True,
    )


def test_made_anew_in_the_second_it_was_seen_deleted_in_it_is_alive(deliver, told):
    mirror([answered_deleted(datetime.fromtimestamp(NOW_UNIX, UTC))])
    arrive(deliver, [created(told, "b")])
    assert (the_row().name, the_row().deleted_at, the_row().settle_at) == ("b", None, None)


def test_of_a_deleted_object_the_last_state_is_kept_though_its_events_come_late(deliver, told):
    mirror([answered_deleted(clock().replace(microsecond=0))])
    late = [
        told("b", "a", second=2),
        told("b", second=3, event_type="customer.deleted"),
        created(told, "a"),
    ]
    arrive(deliver, late)
    row = the_row()
    assert row.deleted_at
    assert (row.name, row.origin, row.settle_at) == ("b", "retrieve", None)


def test_an_event_that_was_not_stored_is_known_by_where_it_led(deliver, told):
    row = Customer()
    row.process_data(created(told, "a"))
    arrive(deliver, [told("b", "a")])
    assert (the_row().name, the_row().settle_at is None) == ("b", False), (
        "a birth unseen may come after"
    )


def test_an_event_that_cannot_be_stored_is_not_the_fault_of_another(deliver, told):
    unstorable = told("d", "c")
    unstorable["data"]["object"]["metadata"] = {"a": "\0"}
    arrive(deliver, [unstorable, told("b", "a"), told("c", "b")])
    states = dict(InboxEvent.objects.values_list("event_id", "state"))
    assert [states.pop(unstorable["id"]), *states.values()] == ["failed", "processed", "processed"]
    assert the_row().settle_at, "the last state is none that we hold"


def test_an_exponent_that_python_cannot_hold_stops_nothing(deliver, told):
    huge = told("b", "a")
    body = json.dumps(huge).replace('"name": "b"', '"name": "b", "n": 1e1000000', 1).encode()
    assert deliver.post(body).status_code == 200
    arrive(deliver, [told("c", "b"), told("d", "c")])
    Worker().run_once()
    assert the_row().name == "d"


def test_an_unreadable_event_among_them_is_linked_to_nothing(deliver, told):
    deep = "[" * 900 + "]" * 900
    strange = created(told, "a")
    arrive(deliver, [strange])
    event = told("b", "a")
    event["data"]["object"]["metadata"] = {"deep": "DEEP"}
    body = json.dumps(event).replace('"DEEP"', deep).encode()
    assert deliver.post(body).status_code == 200
    assert InboxEvent.objects.filter(state="processed").count() == 2
