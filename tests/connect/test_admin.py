"""The admin of the inbox: it shows what was delivered, fast, and edits nothing."""

from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.db import connection
from django.urls import path

from connect.admin import InboxEventAdmin
from connect.models import InboxEvent
from connect.processing import process
from django_stripe.registry import model_for
from tests.connect.inbox_pages import CHANGELIST, State, change, delivered, messages_of
from tests.django_stripe.admin_pages import plan_of, queries_of

pytestmark = pytest.mark.django_db

CHARGE = model_for("charge")

FILL = """
INSERT INTO connect_inboxevent (connect_account_id, livemode, event_id, endpoint, type, api_version, object_type,
    object_id, created, payload, state, attempts, error, handled_by)
SELECT CASE WHEN i %% 2 = 0 THEN '' ELSE 'acct_' || i %% 101 END, i %% 3 = 0, 'evt_' || i, 'connect', 'charge.updated',
    '', 'charge', 'ch_' || i, to_timestamp(1700000000 + i), '{}',
    CASE WHEN i %% 500 = 0 THEN 'failed' ELSE 'processed' END,
    0, '', '[]'
FROM generate_series(%s, %s) AS i
"""


@pytest.fixture
def client(admin_client):
    return admin_client


def fill(first, last):
    with connection.cursor() as cursor:
        cursor.execute(FILL, [first, last])
        cursor.execute("ANALYZE connect_inboxevent")


def ids_listed(response):
    return [event.event_id for event in response.context["cl"].result_list]


# Reading


def test_the_list_and_an_event_are_shown(client):
    event = delivered()
    text = client.get(CHANGELIST).text
    for shown in (
        "evt_1",
        "charge.succeeded",
        "acct_1",
        "ch_1",
        ">received</span>",
        ">test</span>",
    ):
        assert shown in text
    text = client.get(change(event)).text
    assert "&quot;account&quot;: &quot;acct_1&quot;" in text
    assert 'name="_save"' not in text


def test_the_payload_is_shown_as_text_and_as_it_was_sent(client):
    event = delivered()
    payload = '{"rate": 1.10, "text": "</script><script>x", "nothing": "\\\\u0000"}'
    InboxEvent.objects.update(payload=payload, error="<b>bad")
    text = client.get(change(event)).text
    assert "&quot;rate&quot;: 1.10" in text
    assert "&lt;/script&gt;&lt;script&gt;x" in text
    assert "\\u0000" in text
    assert "<script>x" not in text
    assert "<b>" not in text + client.get(CHANGELIST).text


def test_a_thin_event_is_shown_with_what_stripe_answered_and_its_twin(client):
    event = delivered()
    page = client.get(change(event)).text
    assert "Thin event" not in page
    InboxEvent.objects.update(endpoint="thin")
    assert "Stripe was not asked yet." in client.get(change(event)).text
    InboxEvent.objects.update(related='{"id": "ch_1", "fee": 1.10}', snapshot_event_id="evt_2")
    text = client.get(change(event)).text
    assert "&quot;fee&quot;: 1.10" in text
    assert f'<a href="{CHANGELIST}?account=acct_1&amp;q=evt_2">evt_2</a>' in text
    delivered(2)
    assert ids_listed(client.get(f"{CHANGELIST}?account=acct_1&q=evt_2")) == ["evt_2"]


def test_the_twin_of_the_platforms_event_is_among_the_platforms(client):
    event = delivered(account=None)
    InboxEvent.objects.update(endpoint="thin", snapshot_event_id="evt_2")
    assert "?account=platform&amp;q=evt_2" in client.get(change(event)).text


def test_when_it_is_tried_again_is_shown(client):
    event = delivered()
    at = datetime(2027, 1, 2, 12, tzinfo=UTC)
    InboxEvent.objects.update(state=State.FAILED, attempts=7, next_attempt_at=at)
    text = client.get(change(event)).text
    assert '<div class="readonly">7</div>' in text
    assert "Jan. 2, 2027" in text


def test_an_event_leads_to_the_row_it_is_about(client):
    event = delivered()
    assert '/change/">ch_1' not in client.get(change(event)).text
    process(event.pk)
    row = CHARGE.objects.get(stripe_id="ch_1")
    assert (
        f'<a href="/admin/stripe_charge/charge/{row.pk}/change/">ch_1</a>'
        in client.get(change(event)).text
    )


def test_an_event_about_another_accounts_charge_of_that_id_leads_nowhere(client):
    CHARGE.objects.create(stripe_id="ch_1", connect_account_id="acct_2")
    assert '/change/">ch_1' not in client.get(change(delivered())).text


@pytest.mark.parametrize(
    "about", [{"object": "balance"}, {"object": "unheard_of", "id": "uo_1"}, {"object": "charge"}]
)
def test_an_event_about_what_is_not_mirrored_is_shown_all_the_same(client, about):
    event = delivered(data={"object": about})
    assert client.get(change(event)).status_code == 200


inbox_alone = admin.AdminSite()
inbox_alone.register(InboxEvent, InboxEventAdmin)
urlpatterns = [path("admin/", inbox_alone.urls)]


@pytest.mark.urls(__name__)
def test_where_its_object_has_no_admin_an_event_shows_the_id_alone(client):
    CHARGE.objects.create(stripe_id="ch_1", connect_account_id="acct_1")
    text = client.get(change(delivered())).text
    assert '<div class="readonly">ch_1</div>' in text


# Fast


def test_fifty_events_take_as_many_queries_as_one_and_none_of_them_counts(client):
    fill(1, 1)
    _, with_one = queries_of(client, InboxEvent, CHANGELIST)
    fill(2, 50)
    queries, with_fifty = queries_of(client, InboxEvent, CHANGELIST)
    assert with_fifty == with_one
    assert len(queries) == 1
    assert "COUNT(" not in queries[0].upper()
    assert '"payload"' not in queries[0]


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "?p=50",
        "?state=failed",
        "?state=processed",
        "?mode=test",
        "?endpoint=connect",
        "?account=platform",
        "?account=acct_7",
        "?account=platform&q=evt_20",
        "?account=acct_7&q=ch_7",
        "?account=acct_7&q=ch_7&mode=test",
        "?q=acct_7",
        "?o=1.2",
    ],
)
def test_no_list_of_a_large_inbox_scans_it(client, asked):
    fill(1, 20_000)
    (query,), _ = queries_of(client, InboxEvent, CHANGELIST + asked)
    plan = plan_of(query)
    assert "Seq Scan" not in plan, f"{query}\n{plan}"


@pytest.mark.parametrize(
    ("asked", "index"), [("evt_7", "connect_inboxevent_key"), ("ch_7", "connect_inbox_object")]
)
def test_an_id_is_found_by_an_index_of_its_own(client, asked, index):
    fill(1, 20_000)
    (query,), _ = queries_of(client, InboxEvent, f"{CHANGELIST}?account=acct_7&q={asked}")
    plan = plan_of(query)
    assert index in plan, plan
    assert f"= '{asked}'::text" in plan.partition("Index Cond")[2].partition("\n")[0]


# Narrowing


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        ("", ["evt_3", "evt_2", "evt_1"]),
        ("?state=parked", ["evt_2"]),
        ("?endpoint=platform", ["evt_3"]),
        ("?mode=live", []),
        ("?account=platform", ["evt_3"]),
        ("?account=acct_1", ["evt_2", "evt_1"]),
        ("?account=acct_1&q=evt_1", ["evt_1"]),
        ("?account=acct_1&q=ch_2", ["evt_2"]),
        ("?account=acct_1&q=evt_3", []),
        ("?account=platform&q=evt_3", ["evt_3"]),
        ("?q=acct_1", ["evt_2", "evt_1"]),
        ("?q=+", ["evt_3", "evt_2", "evt_1"]),
    ],
)
def test_the_list_is_narrowed_by_state_account_mode_endpoint_and_id(client, asked, listed):
    delivered(1)
    delivered(2)
    delivered(3, account=None)
    InboxEvent.objects.filter(event_id="evt_2").update(state=State.PARKED)
    InboxEvent.objects.filter(event_id="evt_3").update(endpoint="platform")
    assert ids_listed(client.get(CHANGELIST + asked)) == listed


def test_an_id_without_an_account_is_not_looked_for_in_the_whole_inbox(client):
    delivered()
    response = client.get(f"{CHANGELIST}?q=evt_1")
    assert ids_listed(response) == []
    assert "Choose an account" in messages_of(response)[0]


@pytest.mark.parametrize("asked", ["?state=lost", "?endpoint=none"])
def test_what_makes_no_sense_leads_back_to_the_list(client, asked):
    assert client.get(CHANGELIST + asked)["Location"].endswith("?e=1")
