"""`connect_replay`: what it selects, what becomes of it, and who hears of it again."""

import io
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import connection
from django.utils import timezone

import connect
from connect import replay
from connect.models import InboxEvent
from connect.progress import Progress
from connect.signals import get_signal
from connect.worker import Worker
from django_stripe.customer.models import Customer
from tests.conftest import NOW_UNIX, customer

pytestmark = pytest.mark.django_db(transaction=True)

State = InboxEvent.State


class Terminal(io.StringIO):
    """What a person sees, or types."""

    def isatty(self):
        return True


def run(*arguments, out=None, err=None):
    out = out or io.StringIO()
    call_command("connect_replay", *arguments, stdout=out, stderr=err or io.StringIO())
    return out.getvalue()


def states():
    return dict(InboxEvent.objects.order_by("id").values_list("event_id", "state"))


def replayed():
    """Return the numbers of the events that were put back."""
    rows = InboxEvent.objects.filter(state=State.RECEIVED).order_by("id")
    return [
        int(event_id.removeprefix("evt_")) for event_id in rows.values_list("event_id", flat=True)
    ]


@pytest.fixture
def kept(settings):
    """Leave the work to workers: what was put back is seen as it is."""
    settings.CONNECT_PROCESSING = "worker"


@pytest.fixture
def inbox(deliver, kept):
    """Six events: four that are done, one of which is live; a parked and an ignored one."""
    deliver("charge.succeeded", {"id": "ch_1", "object": "charge"}, account="acct_A")
    deliver("charge.refunded", {"id": "ch_1", "object": "charge"}, account="acct_B")
    deliver("payout.failed", {"id": "po_1", "object": "payout"}, account=None)
    deliver("customer.created", customer(), account="acct_A", livemode=True)
    deliver("charge.succeeded", {"id": "ch_5", "object": "charge"}, account="acct_A")
    deliver("charge.succeeded", {"id": "ch_6", "object": "charge"}, account="acct_A")
    InboxEvent.objects.update(state=State.PROCESSED, processed_at=timezone.now())
    for event_id, state in (("evt_000005", State.PARKED), ("evt_000006", State.IGNORED)):
        InboxEvent.objects.filter(event_id=event_id).update(state=state, error="because")
    InboxEvent.objects.filter(event_id="evt_000002").update(
        state=State.FAILED, attempts=12, error="hear: ValueError"
    )
    InboxEvent.objects.filter(event_id="evt_000003").update(
        endpoint="platform", received_at=timezone.now() - timedelta(hours=3)
    )


# What is selected


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("--all", [1, 2, 3, 4]),
        ("--event evt_000001 evt_000004", [1, 4]),
        ("--event evt_000001 --event evt_000004", [1, 4]),
        ("--event evt_000005", [5]),
        ("--event evt_000006", [6]),
        ("--account acct_A", [1, 4]),
        ("--account platform", [3]),
        ("--account acct_B --account platform", [2, 3]),
        ("--livemode", [4]),
        ("--live", [4]),
        ("--test", [1, 2, 3]),
        ("--state failed", [2]),
        ("--state parked", [5]),
        ("--state ignored --state failed", [2, 6]),
        ("--type charge.succeeded", [1]),
        ("--type charge.*", [1, 2]),
        ("--type *", [1, 2, 3, 4]),
        ("--type payout.* --type customer.created", [3, 4]),
        ("--endpoint platform", [3]),
        ("--since 2h", [1, 2, 4]),
        ("--until 2h", [3]),
        ("--since 4h --until 120m", [3]),
        ("--since 1w --account acct_A --test", [1]),
        ("--account acct_A --state parked", [5]),
    ],
)
def test_what_fits_all_that_is_asked_is_received_again(inbox, asked, numbers):
    run(*asked.split())
    assert replayed() == numbers


def test_a_prefix_is_no_pattern_of_sql(inbox):
    InboxEvent.objects.filter(event_id="evt_000001").update(type="account_x.updated")
    InboxEvent.objects.filter(event_id="evt_000002").update(type="accountyx.updated")
    run("--type", "account_x.*")
    assert replayed() == [1]


def test_a_time_may_be_iso_8601_in_the_projects_zone_or_another(inbox, settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    at = datetime(2027, 3, 1, 12, tzinfo=ZoneInfo("Asia/Tokyo"))
    InboxEvent.objects.update(received_at=at - timedelta(minutes=1))
    InboxEvent.objects.filter(event_id="evt_000001").update(received_at=at)
    run("--since", "2027-03-01T12:00")
    assert replayed() == [1]
    InboxEvent.objects.filter(event_id="evt_000001").update(state=State.PROCESSED)
    run("--until", at.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    assert replayed() == [2, 3, 4]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("", "Nothing is selected"),
        ("--handlers-again", "Nothing is selected"),
        ("--since yesterday", "is no time"),
        ("--type Charge.*", "no pattern of event types"),
        ("--type charge*", "no pattern of event types"),
        ("--state lost", "invalid choice"),
        ("--account= ", "--account platform"),
        ("--event evt_000001 evt_9", "No event fits that has the id evt_9"),
        ("--event evt_000001 --state failed", "No event fits that has the id evt_000001"),
        ("--state failed --handler shop.gone", "no handler 'shop.gone'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(inbox, asked, problem):
    before = states()
    with pytest.raises(CommandError, match=problem):
        run(*[word.strip() for word in asked.split(" ") if word.strip()])
    assert states() == before


def test_an_id_of_two_accounts_is_asked_about(inbox):
    InboxEvent.objects.filter(event_id="evt_000002").update(event_id="evt_000001")
    with pytest.raises(CommandError, match="Several events have the id evt_000001"):
        run("--event", "evt_000001")
    assert replayed() == []
    run("--event", "evt_000001", "--account", "acct_B")
    assert InboxEvent.objects.get(state=State.RECEIVED).connect_account_id == "acct_B"


# What is said and asked


def test_it_says_how_many_of_what_and_a_dry_run_leaves_it_at_that(inbox):
    before = list(InboxEvent.objects.order_by("id").values())
    said = run("--all", "--dry-run")
    assert "4 events, received from " in said
    assert "states: processed 3, failed 1" in said
    assert (
        "types: charge.refunded 1, charge.succeeded 1, customer.created 1, payout.failed 1" in said
    )
    assert "accounts: acct_A 2, platform 1, acct_B 1" in said
    assert "modes: test 3, live 1" in said
    assert list(InboxEvent.objects.order_by("id").values()) == before


def test_of_many_types_it_names_the_ten_most_frequent(deliver, kept):
    for number in range(12):
        deliver(f"made.up_{number:02}", {"id": "x_1", "object": "unheard_of"})
    types = run("--all", "--dry-run").partition("types: ")[2].partition("\n")[0]
    assert types.count("made.up") == 10
    assert types.endswith(", …")


@pytest.mark.parametrize(("answer", "numbers"), [("yes", [2]), ("y", [2]), ("no", []), ("", [])])
def test_on_a_terminal_it_asks_first(inbox, monkeypatch, capsys, answer, numbers):
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    if numbers:
        run("--state", "failed")
    else:
        with pytest.raises(CommandError, match="Nothing was changed"):
            run("--state", "failed")
    assert replayed() == numbers
    assert "Replay 1 event?" in capsys.readouterr().out


def test_with_no_input_it_does_not_ask(inbox, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    run("--state", "failed", "--no-input")
    assert replayed() == [2]


def test_nothing_that_fits_is_no_error(inbox):
    assert run("--account", "acct_Z") == "No event fits.\n"


# What becomes of an event


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


# Who hears of it again


@pytest.fixture
def heard(routes, deliver):
    """Two handlers that were called with one event; and what they are called with from now on."""
    calls = []

    @connect.on("customer.*")
    def first(event):
        calls.append("first")

    @connect.on("customer.*")
    def second(event):
        calls.append("second")

    deliver("customer.created", customer())
    assert calls == ["first", "second"]
    calls.clear()
    return calls


def names_of():
    return {name.rpartition(".")[2]: name for name in connect.router._routes}


def test_handlers_that_are_done_are_not_called_again(heard):
    err = io.StringIO()
    run("--account", "acct_A", err=err)
    assert heard == []
    assert err.getvalue() == ""


def test_one_handler_is_called_again_when_it_is_named(heard):
    err = io.StringIO()
    run("--account", "acct_A", "--handler", names_of()["second"], err=err)
    assert heard == ["second"]
    assert set(InboxEvent.objects.get().handled_by) == set(names_of().values())
    assert "happens again" in err.getvalue()


def test_all_are_called_again_when_that_is_said(heard):
    err = io.StringIO()
    run("--account", "acct_A", "--handlers-again", err=err)
    assert heard == ["first", "second"]
    assert "happens again" in err.getvalue()


def test_a_dry_run_forgets_no_handler(heard):
    run("--account", "acct_A", "--handlers-again", "--dry-run")
    assert len(InboxEvent.objects.get().handled_by) == 2


def test_of_other_events_nothing_is_forgotten(heard, deliver):
    deliver("customer.updated", customer(), account="acct_B")
    heard.clear()
    run("--account", "acct_B", "--handlers-again")
    assert heard == ["first", "second"]
    run("--account", "acct_A")
    assert heard == ["first", "second"]


def test_the_receivers_of_a_signal_can_be_named_too(deliver, routes):
    calls = []

    def receiver(event, **kwargs):
        calls.append(event.id)

    signal = get_signal("customer.created")
    signal.connect(receiver)
    try:
        deliver("customer.created", customer())
        run("--account", "acct_A", "--handler", "signal customer.created")
        run("--account", "acct_A")
    finally:
        signal.disconnect(receiver)
    assert calls == ["evt_000001"] * 2


@pytest.mark.parametrize("replayed_one", ["thin", "snapshot"])
def test_its_twin_forgets_too_or_the_handler_would_not_be_called(heard, kept, replayed_one):
    snapshot = InboxEvent.objects.get()
    thin = InboxEvent.objects.create(
        connect_account_id="acct_A",
        livemode=False,
        event_id="evt_thin",
        endpoint="thin",
        type="v1.customer.created",
        created=snapshot.created,
        payload="{}",
        snapshot_event_id=snapshot.event_id,
        state=State.PROCESSED,
        handled_by=snapshot.handled_by,
    )
    stranger = InboxEvent.objects.create(
        connect_account_id="acct_B",
        livemode=False,
        event_id=snapshot.event_id,
        endpoint="connect",
        type="customer.created",
        created=snapshot.created,
        payload="{}",
        state=State.PROCESSED,
        handled_by=snapshot.handled_by,
    )
    chosen = thin if replayed_one == "thin" else snapshot
    run("--event", chosen.event_id, "--account", "acct_A", "--handler", names_of()["first"])
    for event in (thin, snapshot, stranger):
        event.refresh_from_db()
    assert thin.handled_by == snapshot.handled_by == [names_of()["second"]]
    assert len(stranger.handled_by) == 2
    assert {thin.state, snapshot.state} == {State.PROCESSED, State.RECEIVED}


# How it tells how far it is


def test_elsewhere_than_on_a_terminal_progress_is_lines(deliver, kept):
    deliver("customer.created", customer())
    said = run("--all", "--drain")
    assert "Put back: 1 of 1\n" in said
    assert "Worked off: 1 of 1\n" in said
    assert "\r" not in said


def test_on_a_terminal_progress_is_a_bar(deliver, kept):
    deliver("customer.created", customer())
    said = run("--all", "--drain", out=Terminal())
    assert f"\r[{'#' * 30}] Worked off: 1 of 1\n" in said


def test_progress_is_told_no_more_often_than_anybody_reads():
    out = io.StringIO()
    progress = Progress(OutputWrapper(out), "Done", 10)
    assert progress.is_due
    progress.tell(3)
    assert not progress.is_due
    progress.end(12)
    assert out.getvalue() == "Done: 3 of 10\nDone: 10 of 10\n"


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
