"""The button of the inbox's admin: chosen events are processed again, by those who may."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

import connect
from connect import router
from connect.admin import PROCESSED_AT_ONCE_MAX
from connect.models import InboxEvent
from connect.processing import process
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


def test_who_may_only_view_cannot_process(heard):
    event = delivered()
    client = staff("view_inboxevent")
    assert "process_again" not in client.get(CHANGELIST).text
    assert process_again(client, event).status_code == 403
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
