"""The worker: how it begins, shares, waits, is told to stop, and outlives what happens to it."""

import threading
import time
from collections import defaultdict
from itertools import pairwise
from random import Random
from statistics import median

import pytest
from django.db import connection
from django.db.models.functions import Now

import connect
from connect import attempts, draining
from connect.attempts import ATTEMPTS_MAX, BACKOFF_FIRST, BACKOFF_MAX, backoff
from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.charge.models import Charge
from tests.conftest import customer
from tests.connect.working import effects, leave_an_effect, wait_until, working
from tests.plugin import report

pytestmark = pytest.mark.django_db(transaction=True)

TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database()
"""


@pytest.fixture(autouse=True)
def by_workers(settings):
    settings.CONNECT_PROCESSING = "worker"


def states():
    return dict(InboxEvent.objects.values_list("event_id", "state"))


def make_due():
    InboxEvent.objects.filter(state="failed").update(next_attempt_at=Now())


def test_an_idle_worker_reacts_at_once(deliver, routes):
    heard = {}
    connect.on("*")(lambda event: heard.setdefault(event.id, time.monotonic()))
    waits = []
    with working(1):
        for _ in range(20):
            time.sleep(0.05 + len(waits) * 0.0137 % 0.05)  # at any moment of its rests
            event = deliver.event()
            assert deliver.post(event).status_code == 200
            answered_at = time.monotonic()
            wait_until(lambda event=event: event["id"] in heard)
            waits.append(heard[event["id"]] - answered_at)
    report(
        f"worker: an event is handled {1000 * median(waits):.0f} ms after it was answered "
        f"(median of {len(waits)}; at most {1000 * max(waits):.0f} ms)"
    )
    assert median(waits) < 0.5


def test_several_workers_keep_the_order_within_each_account(deliver, routes):
    heard = defaultdict(list)
    chance = Random(1)  # noqa: S311 - no secret

    @connect.on("*")
    def hear(event):
        time.sleep(chance.uniform(0, 0.004))
        heard[event.account].append(event.id)

    accounts = [f"acct_{n}" for n in range(4)]
    sent = defaultdict(list)
    for n in range(120):
        account = chance.choice(accounts)
        event = deliver.event(value=customer(f"cus_{n}"), account=account)
        sent[account].append(event["id"])
        deliver.post(event)
    with working(3):
        wait_until(lambda: set(states().values()) == {"processed"})
    assert heard == sent


def test_two_workers_are_at_two_lanes_at_once(deliver, routes):
    """Each handler waits for the other one: alone, none of them would end."""
    together = threading.Barrier(2)
    connect.on("*")(lambda event: together.wait(timeout=10))
    deliver(account="acct_A")
    deliver(account="acct_B")
    with working(2):
        wait_until(lambda: set(states().values()) == {"processed"})


def test_a_lane_whose_handlers_are_slow_stops_no_other(deliver, routes, monkeypatch):
    monkeypatch.setattr(draining, "TURN_SECONDS_MAX", 0.05)
    heard = []

    @connect.on("*")
    def hear(event):
        time.sleep(0.03 if event.account == "acct_A" else 0)
        heard.append(event.account)

    for n in range(30):
        deliver(value=customer(f"cus_{n}"), account="acct_A")
    deliver(account="acct_B")
    assert Worker().run_once()
    assert heard.count("acct_A") == 30
    assert heard.index("acct_B") < 10, "it had its turn long before"


def test_an_event_that_comes_during_a_long_turn_of_another_lane_has_its_turn(
    deliver, routes, monkeypatch
):
    monkeypatch.setattr(draining, "TURN_SECONDS_MAX", 0.05)
    heard = []

    @connect.on("*")
    def hear(event):
        if not heard:
            deliver(value=customer("cus_late"), account="acct_0")  # a lane before this one
        time.sleep(0.02)
        heard.append(event.account)

    for n in range(40):
        deliver(value=customer(f"cus_{n}"), account="acct_A")
    Worker().run_once()
    assert heard.count("acct_A") == 40
    assert heard.index("acct_0") < 20


def test_a_failed_event_is_tried_again_when_it_is_due_and_not_before(
    deliver, routes, caplog, monkeypatch
):
    monkeypatch.setattr(attempts, "BACKOFF_FIRST", BACKOFF_MAX)  # of which any part is waited for
    calls = []

    @connect.on("*")
    def fails_twice(event):
        calls.append(event.id)
        if len(calls) < 3:
            raise RuntimeError

    deliver()
    for _ in range(3):
        Worker().run_once()
    assert len(calls) == 1
    for times in (2, 3):
        make_due()
        Worker().run_once()
        assert len(calls) == times
    inbox = InboxEvent.objects.get()
    assert (inbox.state, inbox.attempts, inbox.error) == ("processed", 2, "")
    assert inbox.next_attempt_at is None


def test_an_event_is_left_to_somebody_after_twelve_attempts(deliver, routes, caplog):
    calls = []

    @connect.on("*")
    def fails(event):
        calls.append(event.id)
        raise RuntimeError

    deliver()
    for _ in range(ATTEMPTS_MAX + 3):
        make_due_if_it_is_tried_again()
        Worker().run_once()
    inbox = InboxEvent.objects.get()
    assert (inbox.state, inbox.attempts, inbox.next_attempt_at) == ("failed", 12, None)
    assert inbox.error.endswith("fails: RuntimeError")
    assert len(calls) == 12


def make_due_if_it_is_tried_again():
    InboxEvent.objects.filter(next_attempt_at__isnull=False).update(next_attempt_at=Now())


def test_waits_double_up_to_six_hours():
    waits = [backoff(n) for n in range(1, ATTEMPTS_MAX + 1)]
    assert waits[0] == BACKOFF_FIRST
    assert all(later == min(2 * wait, BACKOFF_MAX) for wait, later in pairwise(waits))
    assert waits[-1] == backoff(1000) == BACKOFF_MAX


@pytest.mark.parametrize("times", [1, 5, 11])
def test_events_that_fail_together_are_not_tried_again_together(deliver, routes, caplog, times):
    @connect.on("*")
    def fails(event):
        raise RuntimeError

    for n in range(60):
        deliver(value=customer(f"cus_{n}"))
    InboxEvent.objects.update(attempts=times - 1)
    draining.Drainer().round()  # and not until all is done: some are due at once
    at_most = backoff(times)
    with connection.cursor() as cursor:
        cursor.execute("SELECT next_attempt_at - now() FROM connect_inboxevent ORDER BY 1")
        waits = [wait for (wait,) in cursor.fetchall()]
    assert len(waits) == 60
    assert waits[-1] <= at_most
    assert waits[0] < at_most / 3 < 2 * at_most / 3 < waits[-1], "they are spread"


def test_what_fails_when_the_transaction_ends_is_its_events_alone(deliver, routes, caplog):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE deferred (n int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO deferred VALUES (0)"
        )

    @connect.on("*")
    def write(event):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO deferred VALUES (%s)", [event.object["metadata"]["n"]])

    try:
        for n in (1, 0, 2):  # the second one fails, when it is committed
            deliver(value=customer(f"cus_{n}", metadata={"n": n}))
        Worker().run_once()
        good, bad, also_good = InboxEvent.objects.order_by("id")
        assert (good.state, also_good.state) == ("processed", "processed")
        assert (bad.state, bad.attempts, bad.error) == ("failed", 1, "IntegrityError")
        assert bad.next_attempt_at
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM deferred WHERE n = 0")
        make_due()
        Worker().run_once()
        bad.refresh_from_db()
        assert (bad.state, bad.error) == ("processed", "")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE deferred")


def test_a_worker_whose_connection_is_cut_goes_on(deliver, routes, caplog):
    connect.on("*")(leave_an_effect)
    with working(2):
        for n in range(5):
            event = deliver.event(value=customer(f"cus_{n}"))
            deliver.post(event)
            wait_until(lambda event=event: states()[event["id"]] == "processed")
            with connection.cursor() as cursor:
                cursor.execute(TERMINATE)
    assert sorted(effects()) == sorted(states())


def test_cut_in_the_middle_of_a_handler_it_calls_it_again(deliver, routes, caplog):
    calls = []

    @connect.on("*")
    def is_cut_off(event):
        leave_an_effect(event)
        calls.append(event.id)
        if len(calls) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    for n in range(3):
        deliver(value=customer(f"cus_{n}"))
    with working(1):
        wait_until(lambda: set(states().values()) == {"processed"})
    assert len(calls) == 4
    assert sorted(effects()) == sorted(states())
    assert set(InboxEvent.objects.values_list("attempts", flat=True)) == {0}
    assert "next try in" in caplog.text


def test_told_to_stop_it_leaves_the_rest_to_others(deliver, routes):
    worker = Worker()

    @connect.on("*")
    def stop(event):
        leave_an_effect(event)
        worker.stop()

    for n in range(3):
        deliver(value=customer(f"cus_{n}"))
    worker.run()
    assert sorted(states().values()) == ["mirrored", "mirrored", "processed"]
    assert Charge.objects.count() == 1
    Worker().run_once()
    assert sorted(effects()) == sorted(states())
