"""`connect_replay`: which handlers hear of an event again."""

import io

import pytest

import connect
from connect.models import InboxEvent
from connect.signals import get_signal
from tests.conftest import customer
from tests.connect.replay.conftest import State, run

pytestmark = pytest.mark.django_db(transaction=True)


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
