"""The thin endpoint: what is accepted, what is refused, and what an event is before its object was retrieved."""

import json
from datetime import UTC, datetime

import pytest

from connect import thin as thin_events
from connect.models import InboxEvent
from django_stripe.envelope import InvalidEvent
from django_stripe.platform import PLATFORM

pytestmark = pytest.mark.django_db(transaction=True)

RELATED = {"id": "cus_1", "type": "customer", "url": "/v1/customers/cus_1"}


@pytest.fixture(autouse=True)
def later(settings):
    """What is stored is looked at, not processed."""
    settings.CONNECT_PROCESSING = "worker"


def test_a_thin_event_is_stored_as_it_was_sent(thin):
    event = thin.envelope("v1.customer.created", RELATED, context="acct_A")
    row = thin.take(event)
    assert (row.connect_account_id, row.livemode, row.endpoint) == ("acct_A", False, "thin")
    assert (row.type, row.object_type, row.object_id) == (
        "v1.customer.created",
        "customer",
        "cus_1",
    )
    assert row.created == datetime(2026, 1, 31, 12, tzinfo=UTC), "in whole seconds, as snapshots"
    assert (row.state, row.related, row.snapshot_event_id) == ("received", "", "")
    assert '"v2.core.event"' in row.payload


def test_it_is_stored_once(thin):
    event = thin.envelope()
    assert [thin.post(event).status_code for _ in range(3)] == [200, 200, 200]
    assert InboxEvent.objects.count() == 1


def parse(thin, **changes):
    return thin_events.parse(json.dumps(thin.envelope(**changes)))


@pytest.mark.parametrize(
    ("context", "account"),
    [
        (None, PLATFORM),
        ("", PLATFORM),
        ("acct_A", "acct_A"),
        ("acct_platform/acct_A", "acct_A"),
    ],
)
def test_the_account_is_the_last_segment_of_the_context(thin, context, account):
    assert parse(thin, context=context).account == account


def test_its_object_is_what_the_event_names(thin):
    assert parse(thin, related=RELATED).object == {"id": "cus_1", "object": "customer"}
    balance = {"type": "balance", "url": "/v1/balance"}
    assert parse(thin, related=balance).object == {"object": "balance"}
    assert parse(thin).object == {}


def test_an_account_of_v2s_is_the_account_that_is_mirrored(thin):
    account = {"id": "acct_A", "type": "v2.core.account", "url": "/v2/core/accounts/acct_A"}
    event = parse(thin, event_type="v2.core.account[identity].updated", related=account)
    assert (event.account, event.object) == (PLATFORM, {"id": "acct_A", "object": "account"})


def test_the_request_that_caused_it_is_known(thin):
    request = {"id": "req_1", "idempotency_key": "key"}
    event = parse(thin, reason={"type": "request", "request": request})
    assert (event.request_id, event.idempotency_key) == ("req_1", "key")
    assert parse(thin, reason={"type": "request", "request": None}).request_id is None


@pytest.mark.parametrize(
    "changes",
    [
        {"id": None},
        {"id": 7},
        {"id": "evt\n"},
        {"id": "e" * 256},
        {"type": ""},
        {"object": "v2.core.account"},
        {"created": 1_700_000_000},
        {"created": "yesterday"},
        {"created": "2026-01-31T12:00:00"},
        {"created": "2026-01-31"},
        {"created": "1969-12-31T23:59:59Z"},
        {"created": "9999-12-31T23:59:59-12:00"},
        {"created": None},
        {"livemode": None},
        {"livemode": "false"},
        {"context": 7},
        {"context": ["acct_A"]},
        {"context": "acct_A/"},
        {"context": "acct\x00A"},
        {"related": []},
        {"related": "cus_1"},
        {"related": {"id": "cus_1", "url": "/v1/customers/cus_1"}},
        {"related": {"id": "cus_1", "type": "customer"}},
        {"related": {"id": 7, "type": "customer", "url": "/v1/customers/7"}},
        {"related": RELATED | {"url": "https://example.com/v1/customers/cus_1"}},
        {"related": RELATED | {"url": "//example.com/v1/"}},
    ],
)
def test_what_is_malformed_is_refused_and_not_stored(thin, changes):
    response = thin.post(thin.envelope(**changes))
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain")
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"{}", b"[" * 5000])
def test_what_is_no_event_is_refused(thin, body):
    assert thin.post(body).status_code == 400
    assert not InboxEvent.objects.exists()


def test_an_event_at_the_wrong_endpoint_is_told_where_it_belongs(thin, deliver):
    response = thin.post(deliver.event())
    assert (response.status_code, b"platform or the connect endpoint" in response.content) == (
        400,
        True,
    )
    response = thin.post(thin.envelope(), "connect")
    assert (response.status_code, b"thin endpoint" in response.content) == (400, True)
    assert not InboxEvent.objects.exists()


def test_it_is_believed_with_a_secret_of_its_own_endpoint_only(thin):
    assert thin.post(thin.envelope(), secret=thin.secrets["connect"][0]).status_code == 400
    assert not InboxEvent.objects.exists()


def test_without_a_secret_there_is_no_thin_endpoint(thin, settings):
    settings.STRIPE_WEBHOOK_SECRETS = {"connect": thin.secrets["connect"]}
    assert thin.post(thin.envelope()).status_code == 404


def test_who_parses_one_himself_is_told_what_is_wrong():
    with pytest.raises(InvalidEvent, match="no thin event"):
        thin_events.parse('{"object": "account"}')
