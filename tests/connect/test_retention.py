"""Retention: what is done goes when it is old; what somebody has to look at stays."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connect import retention
from connect.models import InboxEvent
from connect.retention import prune
from tests.connect.working import wait_until, working

pytestmark = pytest.mark.django_db(transaction=True)

FILL = """
INSERT INTO connect_inboxevent (
    connect_account_id, livemode, event_id, endpoint, type, api_version, object_type, object_id,
    created, payload, state, attempts, error, handled_by, received_at
)
SELECT 'acct_A', false, %(prefix)s || n, 'connect', 'a.b', '', '', '',
    now(), '{}', %(state)s, 0, '', '[]', now() - make_interval(days => %(days)s)
FROM generate_series(1, %(events)s) AS n
"""


def store(events, *, days, state="processed"):
    """Have so many events of that age in the inbox."""
    with connection.cursor() as cursor:
        prefix = f"evt_{state}_{days}_"
        cursor.execute(FILL, {"prefix": prefix, "events": events, "days": days, "state": state})


def kept():
    return InboxEvent.objects.count()


@pytest.mark.parametrize("state", InboxEvent.State.values)
def test_of_the_old_ones_only_what_is_done_or_ignored_goes(state):
    store(3, days=31, state=state)
    goes = state in {"processed", "ignored"}
    assert prune(30) == (3 if goes else 0)
    assert kept() == (0 if goes else 3)


def test_events_are_kept_for_ninety_days_unless_a_setting_says_otherwise(settings):
    store(1, days=89)
    store(1, days=91)
    assert prune() == 1
    settings.CONNECT_INBOX_RETENTION_DAYS = 60
    store(1, days=59)
    assert prune() == 1
    assert kept() == 1


@pytest.mark.parametrize("days", [29, 0, -1])
def test_what_stripe_can_still_send_again_is_not_forgotten(settings, days):
    store(1, days=1000)
    with pytest.raises(ValueError, match="kept for 30 days at least"):
        prune(days)
    settings.CONNECT_INBOX_RETENTION_DAYS = days
    with pytest.raises(ValueError, match="kept for 30 days at least"):
        prune()
    assert kept() == 1


def test_it_ends_where_events_are_not_old_any_more(monkeypatch):
    monkeypatch.setattr(retention, "BATCH_EVENTS", 100)
    store(250, days=40)
    store(5000, days=1)
    with CaptureQueriesContext(connection) as statements:
        assert prune(30) == 250
    selects = [each["sql"] for each in statements if "bool_and" in each["sql"]]
    assert len(selects) == 3, (
        "three pages of a hundred, of which the third has events that are not old"
    )
    assert kept() == 5000


def test_what_stays_does_not_keep_it_from_what_is_after_it(monkeypatch):
    monkeypatch.setattr(retention, "BATCH_EVENTS", 100)
    store(250, days=40, state="failed")
    store(150, days=40)
    assert prune(30) == 150
    assert kept() == 250


def test_an_empty_inbox_is_nothing_to_prune():
    assert prune() == 0


def test_a_worker_prunes():
    store(2, days=91)
    with working(1):
        wait_until(lambda: not kept())
