"""`connect_replay`: what it selects."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError

from connect.models import InboxEvent
from tests.connect.replay.conftest import State, replayed, run, states

pytestmark = pytest.mark.django_db(transaction=True)


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
