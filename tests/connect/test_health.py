"""The health of the inbox: what is counted, how fast, what it says of itself, and to whom."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.checks import run_checks
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connect import health
from connect.health import EndpointHealth, Health, measured
from connect.models import InboxEvent
from connect.prometheus import prometheus_text
from tests.connect.inbox_pages import State, delivered
from tests.django_stripe.admin_pages import plan_of

pytestmark = pytest.mark.django_db

TOKEN = "a-token-of-twenty-characters-or-more"
HEALTH, METRICS = "/stripe/health/", "/stripe/metrics/"

# One in 500 events is not done.
FILL = """
INSERT INTO connect_inboxevent (connect_account_id, livemode, event_id, endpoint, type, api_version, object_type,
    object_id, created, payload, state, attempts, error, handled_by)
SELECT 'acct_' || i %% 101, false, 'evt_' || i, 'connect', 'charge.updated', '', 'charge', 'ch_' || i,
    to_timestamp(1700000000 + i), '{}',
    CASE i %% 2000 WHEN 0 THEN 'failed' WHEN 500 THEN 'received' WHEN 1000 THEN 'mirrored' WHEN 1500 THEN 'parked'
        ELSE 'processed' END,
    0, '', '[]'
FROM generate_series(1, %s) AS i
"""


def ago(**parts):
    return timezone.now() - timedelta(**parts)


def event(number, **fields):
    """Store an event that came by the connect endpoint, unless `fields` says otherwise."""
    stored = delivered(number)
    InboxEvent.objects.filter(pk=stored.pk).update(**fields)
    return stored


def ask(address=HEALTH, token=TOKEN):
    return Client().get(address, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def token(settings):
    settings.CONNECT_HEALTH_TOKEN = TOKEN
    return TOKEN


# What is counted


def test_each_endpoints_events_are_counted_by_what_becomes_of_them():
    event(1)
    event(2, state=State.MIRRORED)
    event(3, state=State.FAILED, next_attempt_at=ago(minutes=-5))
    event(4, state=State.FAILED, next_attempt_at=ago(minutes=5))
    event(5, state=State.FAILED)
    event(6, state=State.PARKED)
    event(7, state=State.IGNORED)
    event(8, state=State.PROCESSED)
    event(9, endpoint="platform")
    endpoints = measured().endpoints
    connect = endpoints["connect"]
    assert (connect.waiting, connect.retrying, connect.overdue) == (2, 2, 1)
    assert (connect.dead, connect.parked) == (1, 1)
    assert connect.overdue_seconds == pytest.approx(300, abs=30)
    assert endpoints["platform"].waiting == 1
    assert endpoints["thin"] == EndpointHealth()


def test_the_oldest_that_waits_tells_the_lag_whichever_state_it_waits_in():
    event(1, state=State.PROCESSED, received_at=ago(hours=9), created=ago(hours=9))
    event(2, received_at=ago(minutes=1), created=ago(minutes=3))
    event(3, state=State.MIRRORED, received_at=ago(minutes=2), created=ago(minutes=2))
    event(4, received_at=ago(seconds=1))
    connect = measured().endpoints["connect"]
    assert connect.oldest_waiting_seconds == pytest.approx(120, abs=30)
    assert connect.newest_received_at is not None


def test_one_that_failed_before_is_not_what_new_ones_wait_like():
    """Or each retry of an old event would be an alarm."""
    event(1, error="hear: ValueError", received_at=ago(hours=5), created=ago(hours=5))
    connect = measured().endpoints["connect"]
    assert (connect.waiting, connect.oldest_waiting_seconds, connect.lag_seconds) == (1, 0.0, 0.0)
    assert measured().status == "ok"


def test_the_newest_is_told_by_endpoint():
    newest = event(1, endpoint="platform", received_at=ago(minutes=3))
    newest.refresh_from_db()
    event(2, endpoint="platform", received_at=ago(minutes=4))
    endpoints = measured().endpoints
    assert endpoints["platform"].newest_received_at == newest.received_at
    assert endpoints["connect"].newest_received_at is None


def test_when_more_wait_than_are_counted_the_oldest_are_among_them(monkeypatch):
    monkeypatch.setattr(health, "COUNTED_MAX", 2)
    event(1, received_at=ago(hours=1))
    for number in (2, 3):
        event(number)
    connect = measured().endpoints["connect"]
    assert connect.waiting == 2
    assert connect.oldest_waiting_seconds > 3500


def test_an_empty_inbox_is_well():
    assert measured() == Health()
    assert measured().status == "ok"


def test_no_row_that_is_done_is_read_however_large_the_inbox_is():
    with connection.cursor() as cursor:
        cursor.execute(FILL, [40_000])
        cursor.execute("ANALYZE connect_inboxevent")
    with CaptureQueriesContext(connection) as captured:
        assert measured().endpoints["connect"].waiting == 40
    states, newest = (q["sql"] for q in captured if "connect_inboxevent" in q["sql"])
    plan = plan_of(states)
    assert "connect_inbox_state" in plan, plan
    assert "Seq Scan" not in plan, plan
    assert "Sort" not in plan.partition("Limit")[2], plan
    plan = plan_of(newest)
    assert "Index Scan Backward using connect_inboxevent_pkey" in plan, plan


# What it says


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"state": State.PROCESSED}, "ok", 200),
        ({}, "ok", 200),
        ({"received_at": timedelta(seconds=290)}, "ok", 200),
        ({"received_at": timedelta(seconds=310)}, "late", 503),
        ({"state": State.MIRRORED, "received_at": timedelta(seconds=310)}, "late", 503),
        ({"state": State.FAILED}, "degraded", 200),
        ({"state": State.FAILED, "next_attempt_at": timedelta(minutes=-1)}, "ok", 200),
        ({"state": State.FAILED, "next_attempt_at": timedelta(seconds=10)}, "ok", 200),
        ({"state": State.FAILED, "next_attempt_at": timedelta(minutes=10)}, "degraded", 200),
        ({"state": State.PARKED, "received_at": timedelta(days=9)}, "ok", 200),
        ({"state": State.IGNORED, "received_at": timedelta(days=9)}, "ok", 200),
    ],
)
def test_the_status_is_of_the_worst_that_is_found(token, fields, status, code):
    now = timezone.now()  # and not when this module was read
    event(1, **{k: now - v if isinstance(v, timedelta) else v for k, v in fields.items()})
    response = ask()
    assert (response.json()["status"], response.status_code) == (status, code)


def test_how_late_is_too_late_is_a_setting(token, settings):
    settings.CONNECT_HEALTH_LAG_SECONDS = 30
    event(1, received_at=ago(seconds=40))
    assert ask().status_code == 503
    assert ask().json()["late_after_seconds"] == 30


def test_the_json_has_every_number_of_every_endpoint(token):
    event(1)
    answer = ask()
    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]
    assert set(answer.json()["endpoints"]) == {"platform", "connect", "thin"}
    assert set(answer.json()["endpoints"]["connect"]) == set(EndpointHealth.__slots__)


def test_prometheus_reads_the_same_numbers(token):
    event(1, state=State.FAILED)
    event(2, state=State.MIRRORED, received_at=ago(seconds=60))
    response = ask(METRICS)
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = response.text.splitlines()
    assert response.text.endswith("\n")
    assert "# TYPE connect_inbox_dead gauge" in lines
    assert 'connect_inbox_dead{endpoint="connect"} 1' in lines
    assert 'connect_inbox_dead{endpoint="thin"} 0' in lines
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert 55 < float(samples['connect_inbox_oldest_waiting_seconds{endpoint="connect"}']) < 90
    assert (
        float(samples['connect_inbox_newest_received_timestamp_seconds{endpoint="connect"}'])
        > 1.7e9
    )
    assert 'connect_inbox_newest_received_timestamp_seconds{endpoint="thin"}' not in samples
    described = {line.split()[2] for line in lines if line.startswith("# HELP ")}
    assert {name.partition("{")[0] for name in samples} == described


def test_a_label_is_escaped_as_prometheus_wants_it():
    text = prometheus_text(Health(endpoints={'a"b\\c\nd': EndpointHealth()}))
    assert 'connect_inbox_parked{endpoint="a\\"b\\\\c\\nd"} 0\n' in text


def test_late_events_are_no_reason_to_hide_the_numbers_from_prometheus(token):
    event(1, received_at=ago(hours=1))
    assert ask(METRICS).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("address", "said"), [(HEALTH, '{"status": "unreachable"}'), (METRICS, "# unreachable\n")]
)
def test_a_database_that_cannot_be_reached_is_said_and_nothing_else(
    token, monkeypatch, caplog, address, said
):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connection.settings_dict, "PORT", "9")
    monkeypatch.setitem(connection.settings_dict, "USER", "somebody_secret")
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    client = Client()
    client.cookies["sessionid"] = "a" * 32  # whose it is, only the database could tell
    for response in (ask(address), client.get(address)):
        assert (response.status_code, response.text) == (503, said)
    assert "OperationalError" in caplog.text
    assert "somebody_secret" not in caplog.text
    connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_is_given_up_on(token, monkeypatch):
    monkeypatch.setattr(health, "STATEMENT_TIMEOUT", "50ms")
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE connect_inboxevent")
        assert ask().json() == {"status": "unreachable"}
    finally:
        other.rollback()  # the end of a connection is noticed some time later
        other.close()
    assert ask().json()["status"] == "ok"


# To whom


@pytest.mark.parametrize("address", [HEALTH, METRICS])
def test_without_a_token_in_the_settings_it_is_not_there(settings, address):
    assert Client().get(address).status_code == 404
    for unset in (None, "", "short"):
        settings.CONNECT_HEALTH_TOKEN = unset
        assert ask(address, token=unset or "").status_code == 404
        assert ask(address, token="None").status_code == 404


@pytest.mark.parametrize("address", [HEALTH, METRICS])
@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"],
)
def test_with_one_anything_else_is_refused(token, address, given):
    response = Client().get(address, headers={"Authorization": given} if given is not None else {})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert "connect" not in response.text


@pytest.mark.parametrize("address", [HEALTH, METRICS])
def test_the_token_opens_it_for_reading(token, address):
    assert ask(address).status_code == 200
    assert Client().get(address, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200
    assert Client().post(address, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 405


@pytest.mark.parametrize("address", [HEALTH, METRICS])
@pytest.mark.parametrize(
    ("is_staff", "codenames", "code"),
    [
        (True, ["view_inboxevent"], 200),
        (True, ["change_inboxevent"], 404),
        (False, ["view_inboxevent"], 404),
    ],
)
def test_staff_who_may_view_the_inbox_need_no_token(address, is_staff, codenames, code):
    user = User.objects.create_user("somebody", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(user)
    assert client.get(address).status_code == code


def test_a_project_without_sessions_has_it_by_token_alone(token, settings):
    settings.MIDDLEWARE = []
    assert Client().get(HEALTH).status_code == 401
    assert ask().status_code == 200


def test_it_names_no_account_and_no_object(token):
    event(1, state=State.FAILED, error="because of acct_1")
    for address in (HEALTH, METRICS):
        text = ask(address).text
        assert not [word for word in ("acct_", "ch_", "evt_", "because") if word in text]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("CONNECT_HEALTH_TOKEN", "short", ["connect.E006"]),
        ("CONNECT_HEALTH_TOKEN", 12345678901234567890, ["connect.E006"]),
        ("CONNECT_HEALTH_TOKEN", TOKEN, []),
        ("CONNECT_HEALTH_TOKEN", None, []),
        ("CONNECT_HEALTH_LAG_SECONDS", "300", ["connect.E007"]),
        ("CONNECT_HEALTH_LAG_SECONDS", 0, ["connect.E007"]),
        ("CONNECT_HEALTH_LAG_SECONDS", True, ["connect.E007"]),
        ("CONNECT_HEALTH_LAG_SECONDS", float("nan"), ["connect.E007"]),
        ("CONNECT_HEALTH_LAG_SECONDS", 1.5, []),
    ],
)
def test_a_setting_that_would_not_do_is_found(settings, name, value, found):
    setattr(settings, name, value)
    messages = [message for message in run_checks() if message.id.startswith("connect.E")]
    assert [message.id for message in messages] == found
    assert "short" not in json.dumps([str(message) for message in messages])
