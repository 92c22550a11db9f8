"""The buttons of the inbox's admin: chosen events are processed again or parked, by those who may."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db.models.functions import Now
from django.test import Client

import connect
from connect import router
from connect.admin import PROCESSED_AT_ONCE_MAX
from connect.models import InboxEvent
from connect.processing import process
from connect.replay import make_due
from connect.worker import Worker
from django_stripe.registry import model_for
from tests.connect.inbox_pages import CHANGELIST, State, change, delivered, messages_of

pytestmark = pytest.mark.django_db

CHARGE = model_for("charge")


@pytest.fixture
def client(admin_client):
    return admin_client


def process_again(client, *events, **extra):
    chosen = {"action": "process_again", "_selected_action": [e.pk for e in events], "index": 0}
    return client.post(CHANGELIST, {**chosen, **extra}, follow=True)


def park(client, *events):
    return process_again(client, *events, action="park")


@pytest.fixture
def heard():
    """Return the ids of the events that a handler was called with."""
    ids: list[str] = []

    def hear(event):
        ids.append(event.id)
        if event.id == "evt_bad":
            raise ValueError("no")

    connect.on("charge.*")(hear)
    yield ids
    router._routes.pop(f"{hear.__module__}.{hear.__qualname__}")


@pytest.mark.parametrize("state", [State.RECEIVED, State.MIRRORED, State.FAILED, State.PARKED])
def test_an_event_that_is_not_done_is_processed(client, heard, state):
    event = delivered()
    InboxEvent.objects.update(state=state, attempts=12, next_attempt_at=None, error="before")
    response = process_again(client, event)
    event.refresh_from_db()
    assert (event.state, event.error, heard) == (State.PROCESSED, "", ["evt_1"])
    assert messages_of(response) == ["1 event is now processed."]


def test_a_processed_event_mirrors_again_and_leaves_done_handlers_alone(client, heard):
    event = delivered()
    process(event.pk)
    CHARGE.objects.all().delete()
    process_again(client, event)
    event.refresh_from_db()
    assert event.state == State.PROCESSED
    assert CHARGE.objects.get().stripe_id == "ch_1"
    assert heard == ["evt_1"]


def test_an_event_that_fails_again_has_all_its_attempts_before_it(client, heard):
    good, bad = delivered("good"), delivered("bad")
    InboxEvent.objects.update(state=State.FAILED, attempts=12, next_attempt_at=None)
    response = process_again(client, good, bad)
    bad.refresh_from_db()
    assert (bad.state, bad.attempts) == (State.FAILED, 1)
    assert bad.next_attempt_at is not None
    assert messages_of(response) == ["1 event is now failed.", "1 event is now processed."]
    assert heard == ["evt_good", "evt_bad"]


def test_an_ignored_event_stays_ignored(client, heard):
    event = delivered()
    InboxEvent.objects.update(state=State.IGNORED)
    response = process_again(client, event)
    event.refresh_from_db()
    assert (event.state, heard) == (State.IGNORED, [])
    assert messages_of(response) == ["Ignored events stay ignored."]


def test_no_more_than_a_page_is_processed_at_once(client, heard):
    events = [delivered(n) for n in range(PROCESSED_AT_ONCE_MAX + 1)]
    process_again(client, events[0], select_across=1)
    assert InboxEvent.objects.filter(state=State.PROCESSED).count() == PROCESSED_AT_ONCE_MAX
    assert len(heard) == PROCESSED_AT_ONCE_MAX


@pytest.mark.parametrize("state", [State.FAILED, State.PARKED, State.PROCESSED])
def test_an_event_that_is_cut_short_waits_for_a_worker(client, state):
    """As when this process ends between the two: nothing waits for a time that is past."""
    event = delivered()
    InboxEvent.objects.update(state=state, attempts=3, next_attempt_at=Now(), error="before")
    make_due([event.pk], [state])
    event.refresh_from_db()
    assert (event.state, event.attempts, event.next_attempt_at) == (State.RECEIVED, 0, None)
    assert Worker().run_once() == 1
    event.refresh_from_db()
    assert event.state == State.PROCESSED


@pytest.mark.parametrize("state", [State.RECEIVED, State.MIRRORED, State.FAILED])
def test_an_event_that_is_not_done_is_parked_and_says_by_whom(client, heard, state):
    event = delivered()
    InboxEvent.objects.update(state=state, next_attempt_at=Now(), error="before")
    response = park(client, event)
    event.refresh_from_db()
    assert (event.state, event.next_attempt_at) == (State.PARKED, None)
    assert event.error == "Parked by admin."
    assert messages_of(response) == ["1 event is now parked."]
    Worker().run_once()
    assert heard == []
    process_again(client, event)
    event.refresh_from_db()
    assert (event.state, event.error, heard) == (State.PROCESSED, "", ["evt_1"])


@pytest.mark.parametrize("state", [State.PROCESSED, State.IGNORED, State.PARKED])
def test_what_is_done_or_set_aside_is_not_parked(client, state):
    event = delivered()
    InboxEvent.objects.update(state=state, error="before")
    response = park(client, event)
    event.refresh_from_db()
    assert (event.state, event.error) == (state, "before")
    assert messages_of(response) == ["Only what is not done can be parked."]


def test_all_that_the_list_shows_is_parked_at_once_and_nothing_else(client):
    events = [delivered(n) for n in range(PROCESSED_AT_ONCE_MAX + 1)]
    other = delivered(999, account="acct_2")
    chosen = {"action": "park", "_selected_action": [events[0].pk], "select_across": 1, "index": 0}
    response = client.post(f"{CHANGELIST}?account=acct_1", chosen, follow=True)
    assert messages_of(response) == [f"{len(events)} events are now parked."]
    other.refresh_from_db()
    assert other.state == State.RECEIVED


# Who may do what


def staff(*codenames):
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    return client


def test_without_permission_nobody_sees_an_event():
    event = delivered()
    client = staff()
    assert client.get(CHANGELIST).status_code == 403
    assert client.get(change(event)).status_code == 403


def test_who_may_only_view_can_neither_process_nor_park(heard):
    event = delivered()
    client = staff("view_inboxevent")
    for button in ("process_again", "park"):
        assert f'value="{button}"' not in client.get(CHANGELIST).text
    assert process_again(client, event).status_code == 403
    assert park(client, event).status_code == 403
    event.refresh_from_db()
    assert (event.state, heard) == (State.RECEIVED, [])


def test_who_may_change_can_process_and_still_edits_nothing(heard):
    event = delivered()
    before = InboxEvent.objects.values().get()
    client = staff("change_inboxevent", "delete_inboxevent", "add_inboxevent")
    answers = [
        client.post(change(event), {"state": "processed", "_save": "Save"}),
        client.post(f"{CHANGELIST}{event.pk}/delete/", {"post": "yes"}),
        client.post(f"{CHANGELIST}add/", {"event_id": "evt_2"}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert InboxEvent.objects.values().get() == before
    assert process_again(client, event).status_code == 200
    assert heard == ["evt_1"]
