"""The webhook endpoints: what is accepted, what is refused, and that nothing is lost."""

import json
import socket
import time
from contextlib import contextmanager
from functools import partial

import pytest
import stripe
from django.db import connection
from django.test.utils import CaptureQueriesContext

import connect
from connect.models import InboxEvent
from connect.processing import process, process_due
from connect.signature import TOLERANCE_SECONDS
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from tests.conftest import NOW_UNIX, signature

pytestmark = pytest.mark.django_db(transaction=True)


def customer(stripe_id="cus_1", **fields):
    return {"id": stripe_id, "object": "customer", "created": NOW_UNIX, "metadata": {}} | fields


@contextmanager
def no_customer_can_be_written():
    """The database is at odds with us, which is no event's fault."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE stripe_customer ADD CONSTRAINT odds CHECK (false) NOT VALID")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE stripe_customer DROP CONSTRAINT odds")


def test_a_signed_event_becomes_a_row_of_its_account(deliver):
    deliver("customer.created", customer(email="a@example.com"), account="acct_A")
    row = Customer.objects.get()
    assert (row.connect_account_id, row.livemode, row.stripe_id) == ("acct_A", False, "cus_1")
    assert row.email == "a@example.com"
    assert row.data == customer(email="a@example.com")
    inbox = InboxEvent.objects.get()
    assert (inbox.state, inbox.error, inbox.object_id) == ("processed", "", "cus_1")


def test_an_event_without_an_account_is_the_platforms(deliver):
    assert deliver.post(deliver.event(account=None), endpoint="platform").status_code == 200
    assert Customer.objects.platform().count() == 1


def test_an_event_delivered_again_is_answered_and_not_stored_again(deliver):
    event = deliver.event()
    assert [deliver.post(event).status_code for _ in range(3)] == [200, 200, 200]
    assert InboxEvent.objects.count() == 1


def test_one_event_id_in_two_accounts_and_modes_is_three_events(deliver, settings):
    settings.CONNECT_LIVEMODE_POLICY = "accept"
    for account, livemode in [("acct_A", False), ("acct_B", False), ("acct_A", True)]:
        deliver(account=account, livemode=livemode, id="evt_same")
    assert InboxEvent.objects.count() == Customer.objects.count() == 3


def test_equal_ids_in_accounts_and_modes_are_rows_of_their_own_and_a_delete_touches_one(
    deliver, settings
):
    settings.CONNECT_LIVEMODE_POLICY = "accept"
    places = [(a, m) for a in ("acct_A", "acct_B", None) for m in (False, True)]
    for account, livemode in places:
        deliver("customer.created", customer("SUMMER"), account=account, livemode=livemode)
    deliver(
        "customer.deleted",
        customer("SUMMER"),
        account="acct_B",
        livemode=False,
        created=NOW_UNIX + 5,
    )
    rows = Customer.objects.filter(stripe_id="SUMMER")
    assert rows.count() == len(places)
    (gone,) = rows.exclude(deleted_at=None)
    assert (gone.connect_account_id, gone.livemode) == ("acct_B", False)
    assert gone.data == customer("SUMMER"), "the last state is kept"
    assert rows.alive().count() == len(places) - 1


def test_a_deleted_object_is_not_brought_back_by_an_older_event(deliver):
    deliver("customer.deleted", customer(), created=NOW_UNIX + 9)
    deliver("customer.updated", customer(name="late"), created=NOW_UNIX + 3, previous_attributes={})
    assert not Customer.objects.alive().exists()


def test_accepting_a_delivery_takes_at_most_two_statements(deliver, settings):
    settings.CONNECT_PROCESSING = "worker"
    body = json.dumps(deliver.event()).encode()
    with CaptureQueriesContext(
        connection,
    ) as statements:
        deliver.post(body)
    assert len(statements) <= 2, statements.captured_queries
    assert InboxEvent.objects.get().state == "received"


def test_an_unknown_type_and_an_unknown_object_are_kept(deliver):
    deliver("brand.new.thing", {"id": "bnt_1", "object": "brand.new"})
    deliver("balance.available", {"object": "balance", "available": []})
    assert list(InboxEvent.objects.values_list("state", flat=True)) == ["processed"] * 2


@pytest.mark.parametrize(
    ("policy", "state"), [("accept", "processed"), ("park", "parked"), ("ignore", "ignored")]
)
def test_events_of_a_mode_without_a_key_follow_the_policy(deliver, settings, policy, state):
    settings.CONNECT_LIVEMODE_POLICY = {"connect": policy}
    deliver(livemode=True)
    assert InboxEvent.objects.get().state == state
    assert Customer.objects.live().exists() is (policy == "accept")


@pytest.mark.parametrize("keys", [None, {"live": None, "test": None}, {}, ""])
def test_without_a_key_an_event_is_stored_all_the_same(deliver, settings, keys):
    settings.STRIPE_API_KEY = keys
    deliver()
    assert InboxEvent.objects.get().state == "parked"


def test_a_key_that_cannot_be_fetched_loses_no_event(deliver, settings, caplog):
    def key_from_a_vault():
        raise ConnectionError("-".join(["vault", "down"]))

    settings.STRIPE_API_KEY = key_from_a_vault
    deliver()
    assert InboxEvent.objects.get().state == "received"
    assert "ConnectionError" in caplog.text
    assert "vault-down" not in caplog.text
    settings.STRIPE_API_KEY = "sk_test_x"
    process_due()
    assert InboxEvent.objects.get().state == "processed"


def test_a_snapshot_event_takes_no_call_to_stripe(deliver, settings):
    """Nothing is answered: were it called, it would be seen here."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        settings.STRIPE_API_BASE = f"http://127.0.0.1:{server.getsockname()[1]}"
        for n, event_type in enumerate(
            ["customer.created", "customer.updated", "customer.deleted"]
        ):
            deliver(event_type, customer(), created=NOW_UNIX + n, previous_attributes={})
        with pytest.raises(TimeoutError):
            server.accept()


def test_get_is_not_allowed(deliver):
    assert deliver.client.get("/stripe/webhooks/connect/").status_code == 405


def body_of(deliver):
    return json.dumps(deliver.event()).encode()


class TestSignature:
    """Wrong, missing, old, future and multi signatures."""

    @pytest.fixture(autouse=True)
    def nothing_is_stored(self):
        yield
        assert not InboxEvent.objects.exists()

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "nonsense",
            "t=,v1=",
            "t=1",
            "v1=00",
            "t=1,t=2,v1=00",
            "t=1_0,v1=00",
            "t=٣,v1=00",
            "t=99999999999999999999,v1=00",
            "t=-1,v1=00",
            "t=1,v1=\xff\xfe",
            "t=NOW,v1=é",
            "t=NOW,v1=" + "0" * 64,
            "t=NOW" + ",v1=" * 1000,
        ],
    )
    def test_a_header_that_is_no_signature_is_refused(self, deliver, header):
        header = header.replace("NOW", str(int(time.time())))
        assert deliver.post(body_of(deliver), header=header).status_code == 400

    def test_a_signature_with_another_endpoints_secret_is_refused(self, deliver, settings):
        secret = settings.STRIPE_WEBHOOK_SECRETS["platform"][0]
        assert deliver.post(body_of(deliver), secret=secret).status_code == 400

    def test_a_signature_of_other_bytes_is_refused(self, deliver, settings):
        body = body_of(deliver)
        header = signature(body, settings.STRIPE_WEBHOOK_SECRETS["connect"][0])
        assert deliver.post(body + b" ", header=header).status_code == 400

    @pytest.mark.parametrize("seconds", [-TOLERANCE_SECONDS - 5, TOLERANCE_SECONDS + 5])
    def test_an_old_and_a_future_signature_are_refused(self, deliver, settings, seconds):
        body = body_of(deliver)
        secret = settings.STRIPE_WEBHOOK_SECRETS["connect"][0]
        header = signature(body, secret, at_unix=time.time() + seconds)
        response = deliver.post(body, header=header)
        assert (response.status_code, b"clock" in response.content) == (400, True)

    def test_only_v1_counts(self, deliver, settings):
        body = body_of(deliver)
        header = signature(body, settings.STRIPE_WEBHOOK_SECRETS["connect"][0])
        assert deliver.post(body, header=header.replace("v1=", "v0=")).status_code == 400


def test_each_secret_of_a_rotation_is_accepted(deliver, settings):
    for secret in settings.STRIPE_WEBHOOK_SECRETS["connect"]:
        assert deliver.post(deliver.event(), secret=secret).status_code == 200


def test_one_good_signature_among_several_is_enough(deliver, settings):
    body = body_of(deliver)
    at = int(time.time())
    good = signature(body, settings.STRIPE_WEBHOOK_SECRETS["connect"][1], at_unix=at)
    header = f"t={at},v1={'0' * 64},{good.split(',')[1]},v0={'1' * 64},v7=x"
    assert deliver.post(body, header=header).status_code == 200


def test_it_is_the_signature_that_the_sdk_makes(deliver, settings):
    body = body_of(deliver)
    header = stripe.WebhookSignature.generate_signature_header(
        body.decode(), settings.STRIPE_WEBHOOK_SECRETS["connect"][0]
    )
    assert deliver.post(body, header=header).status_code == 200


@pytest.mark.parametrize(
    "secret",
    [
        "",
        " ",
        "whsec_",
        "whsec_...",
        "whsec_xxxxxxxxxxxxxxxxxxxxxxxx",
        "changeme",
        "whsec_your_secret_here",
        None,
    ],
)
def test_an_empty_or_placeholder_secret_serves_no_endpoint(deliver, settings, secret):
    settings.STRIPE_WEBHOOK_SECRETS = {"connect": [secret]}
    body = json.dumps(deliver.event()).encode()
    response = deliver.post(body, header=signature(body, secret or ""))
    assert response.status_code == 404
    assert not InboxEvent.objects.exists()


def test_an_endpoint_nobody_configured_is_not_served(deliver, settings):
    settings.STRIPE_WEBHOOK_SECRETS = {}
    body = json.dumps(deliver.event()).encode()
    for endpoint in ("connect", "platform", "thin", "x"):
        response = deliver.post(body, endpoint=endpoint, header="t=1,v1=00")
        assert response.status_code == 404


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
    process_due()
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


def test_one_event_that_breaks_stops_no_other(deliver, settings, caplog):
    settings.CONNECT_PROCESSING = "worker"
    deliver("customer.created", customer())
    deliver("charge.succeeded", {"id": "ch_1", "object": "charge"})
    with no_customer_can_be_written():
        assert process_due() == 2
    states = dict(InboxEvent.objects.values_list("object_type", "state"))
    assert states == {"customer": "failed", "charge": "processed"}
    broken = InboxEvent.objects.get(object_type="customer")
    assert (broken.error, broken.attempts) == ("IntegrityError", 1)
    assert broken.next_attempt_at
    InboxEvent.objects.update(next_attempt_at=broken.received_at)
    process_due()
    assert Customer.objects.count() == 1


class TestHandlers:
    def test_a_handler_hears_in_the_context_of_the_account_after_the_mirror(self, deliver, routes):
        heard = []

        @connect.on("customer.*")
        def hear(event):
            row = Customer.objects.for_account(connect.current_account()).get()
            heard.append((event.type, event.account, row.stripe_id))

        deliver("customer.created", customer(), account="acct_B")
        deliver("charge.succeeded", {"id": "ch_1", "object": "charge"}, account="acct_B")
        assert heard == [("customer.created", "acct_B", "cus_1")]

    def test_a_duplicate_is_not_heard_again(self, deliver, routes):
        heard = []
        connect.on("*")(lambda event: heard.append(event.id))
        event = deliver.event()
        for _ in range(3):
            deliver.post(event)
        assert heard == [event["id"]]

    def test_one_that_fails_stops_neither_the_mirror_nor_the_others_and_is_called_again_alone(
        self, deliver, routes, caplog
    ):
        calls = []

        @connect.on("*")
        def fails_once(event):
            Charge.objects.create(stripe_id=f"ch_{len(calls)}")
            calls.append("fails_once")
            if calls.count("fails_once") == 1:
                raise RuntimeError("-".join(["sk", "secret"]))

        @connect.on("*")
        def works(event):
            calls.append("works")

        deliver("customer.created", customer())
        assert Customer.objects.count() == 1
        assert not Charge.objects.exists(), "what it did to the database is undone"
        inbox = InboxEvent.objects.get()
        assert (inbox.state, inbox.attempts) == ("failed", 1)
        assert "fails_once: RuntimeError" in inbox.error
        assert "secret" not in inbox.error
        assert "RuntimeError" in caplog.text
        assert "sk-secret" not in caplog.text
        InboxEvent.objects.update(next_attempt_at=inbox.received_at)
        process_due()
        assert calls == ["fails_once", "works", "fails_once"]
        assert InboxEvent.objects.get().state == "processed"
        assert Charge.objects.count() == 1

    def test_an_event_that_another_has_is_left_to_it(self, deliver, routes, settings):
        heard = []
        settings.CONNECT_PROCESSING = "worker"
        connect.on("*")(lambda event: heard.append(event.id))
        deliver()
        inbox_id = InboxEvent.objects.values_list("id", flat=True).get()
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute("BEGIN; SELECT 1 FROM connect_inboxevent FOR UPDATE")
            process(inbox_id)
        finally:
            other.close()
        assert heard == []
        assert not Customer.objects.exists()
        process(inbox_id)
        assert len(heard) == Customer.objects.count() == 1

    def test_one_that_nobody_would_await_is_refused(self, routes):
        async def handler(event): ...

        with pytest.raises(TypeError, match="no plain function"):
            connect.on("a.b")(handler)
        with pytest.raises(TypeError, match="no plain function"):
            connect.on("a.b")(partial(print, "x"))

    def test_a_handler_is_named_once(self, routes):
        def make():
            def handler(event): ...

            return handler

        connect.on("a.b")(make())
        with pytest.raises(ValueError, match="two handlers named"):
            connect.on("a.b")(make())

    @pytest.mark.parametrize(
        "pattern", ["", "*.x", "charge.", "charge*", "charge.*.x", "Charge.x", "a b"]
    )
    def test_a_pattern_that_could_never_fit_is_refused(self, routes, pattern):
        with pytest.raises(ValueError, match="no pattern of event types"):
            connect.on(pattern)

    def test_patterns_are_types_prefixes_and_everything(self, routes):
        function = connect.on("payout.failed", "charge.*")(lambda event: None)
        (route,) = routes.values()
        assert route.handler is function
        wanted = ["payout.failed", "charge.refunded", "charge.dispute.created"]
        assert all(map(route.wants, wanted))
        assert not any(map(route.wants, ["payout.failed.x", "charges.x", "payout.paid", "charge"]))


def test_the_answer_stays_200_when_processing_breaks_and_the_event_is_due(deliver, caplog):
    with no_customer_can_be_written():
        deliver()
    assert "due again" in caplog.text
    assert InboxEvent.objects.get().state == "received"
    assert process_due() == 1
    assert Customer.objects.count() == 1
