"""Signed bodies that nobody would send: each is answered as designed, nothing is lost, and the next event works."""

import pytest
from django.db import connection

from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from tests.conftest import NOW_UNIX, customer

pytestmark = pytest.mark.django_db(transaction=True)


def nested(depth):
    return "[" * depth + "]" * depth


def event_text(**replaced):
    """An event as text, in which a value may be any text at all."""
    fields = {
        "id": '"evt_h"',
        "object": '"event"',
        "type": '"customer.updated"',
        "account": '"acct_A"',
        "livemode": "false",
        "created": str(NOW_UNIX),
        "data": '{"object": {"id": "cus_h", "object": "customer"}}',
    } | replaced
    return ("{" + ", ".join(f'"{key}": {value}' for key, value in fields.items()) + "}").encode()


def with_metadata(value):
    return event_text(
        data=f'{{"object": {{"id": "cus_h", "object": "customer", "metadata": {value}}}}}'
    )


REFUSED = {
    "invalid UTF-8": b'{"id": "\xff"}',
    "a raw surrogate": b'{"id": "\xed\xa0\x80"}',
    "no JSON": b"{",
    "an empty body": b"",
    "an array": b"[]",
    "a number": b"1",
    "null": b"null",
    "NaN": event_text(created="NaN"),
    "nesting 10,000 deep": with_metadata(nested(10_000)),
    "nesting 10,000 deep and a lone surrogate": with_metadata(
        '["\\ud800", ' + nested(10_000) + "]"
    ),
    "a thin event": event_text(object='"v2.core.event"'),
    "another object": event_text(object='"customer"'),
    "no id": event_text(id="null"),
    "an id that is no text": event_text(id="[]"),
    "an id with a NUL": event_text(id='"evt_\\u0000"'),
    "an id with a surrogate": event_text(id='"evt_\\ud800"'),
    "an endless id": event_text(id='"' + "x" * 300 + '"'),
    "an account that is an array": event_text(account='["acct_A"]'),
    "an empty account": event_text(account='""'),
    "a livemode that is no boolean": event_text(livemode='"false"'),
    "a created that is a text": event_text(created='"1"'),
    "a created beyond time": event_text(created="9" * 30),
    "a negative created": event_text(created="-1"),
    "data that is an array": event_text(data="[]"),
    "an object that is an array": event_text(data='{"object": []}'),
    "no object": event_text(data="{}"),
    "no type": event_text(type="{}"),
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_signed_body_that_is_no_snapshot_event_is_refused(deliver, body):
    response = deliver.post(body)
    assert (response.status_code, response["Content-Type"]) == (400, "text/plain")
    assert not InboxEvent.objects.exists()
    deliver(value=customer("cus_next"))
    assert Customer.objects.get().stripe_id == "cus_next"


def test_a_body_of_ten_megabytes_is_refused_unread(deliver):
    assert deliver.post(with_metadata('"' + "x" * 10_000_000 + '"')).status_code == 413
    deliver()


KEPT_BUT_NOT_MIRRORED = {
    "a NUL in metadata": with_metadata('{"a": "\\u0000"}'),
    "a lone surrogate": with_metadata('{"a": "\\ud800"}'),
    "a number beyond numeric": with_metadata("1e999999"),
    "an exponent beyond decimals": with_metadata("1e1000000000"),
    "an integer of 200,000 digits": with_metadata("9" * 200_000),
    "a balance beyond 64 bits": event_text(
        data='{"object": {"id": "cus_h", "object": "customer", "balance": 99999999999999999999999}}'
    ),
    "a balance that is no number": event_text(
        data='{"object": {"id": "cus_h", "object": "customer", "balance": "none of yours"}}'
    ),
    "a key too large for its index": event_text(
        data='{"object": {"id": "cus_h", "object": "customer", "email": "'
        + "".join(f"{n:x}" for n in range(200_000, 240_000))
        + '"}}'
    ),
}


@pytest.mark.parametrize("body", KEPT_BUT_NOT_MIRRORED.values(), ids=KEPT_BUT_NOT_MIRRORED)
def test_what_postgresql_cannot_store_is_kept_and_costs_its_own_row(deliver, body):
    assert deliver.post(body).status_code == 200
    Worker().run_once()
    inbox = InboxEvent.objects.get()
    assert (inbox.state, inbox.payload.encode()) == ("failed", body)
    assert "customer cus_h: " in inbox.error
    assert "none of yours" not in inbox.error, "an error quotes no payload"
    assert inbox.next_attempt_at is None, "it would fail again"
    deliver("customer.updated", customer("cus_h", name="next"), created=NOW_UNIX + 1)
    assert Customer.objects.get().name == "next"


def test_an_id_that_can_be_no_key_is_said(deliver):
    body = event_text(data='{"object": {"id": "' + "x" * 300 + '", "object": "customer"}}')
    assert deliver.post(body).status_code == 200
    inbox = InboxEvent.objects.get()
    assert (inbox.state, "255 characters" in inbox.error) == ("failed", True)


MIRRORED = {
    "an integer of 5,000 digits": '{"n": ' + "9" * 5000 + "}",
    "an integer beyond 64 bits": '{"n": 123456789012345678901234567890}',
    "decimals as they were sent": '{"a": 1.10, "b": 0.10000000000000000000000000001, "c": 1e2}',
    "an array where an object should be": "[1, [2], {}]",
    "nesting a hundred deep": nested(100),
    "every kind of text": '{"a": "\\"\\\\ \\u00e9 \\ud83d\\ude00 </script>"}',
}


@pytest.mark.parametrize("metadata", MIRRORED.values(), ids=MIRRORED)
def test_strange_but_storable_values_are_stored_as_sent(deliver, metadata):
    assert deliver.post(with_metadata(metadata)).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT data -> 'metadata' = %s::jsonb FROM stripe_customer", [metadata])
        assert cursor.fetchone() == (True,)
        cursor.execute(
            "SELECT (data -> 'metadata')::text = %s::jsonb::text FROM stripe_customer", [metadata]
        )
        assert cursor.fetchone() == (True,)


def test_references_may_be_expanded_or_missing_or_of_another_kind(deliver):
    for n, (sent, read) in enumerate(
        [('"cus_1"', "cus_1"), ('{"id": "cus_2"}', "cus_2"), ("null", None)]
    ):
        deliver.post(
            event_text(
                id=f'"evt_{n}"',
                type='"charge.updated"',
                data=f'{{"object": {{"id": "ch_{n}", "object": "charge", "customer": {sent}}}}}',
            )
        )
        assert Charge.objects.get(stripe_id=f"ch_{n}").customer == read
