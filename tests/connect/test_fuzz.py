"""Forged and confused deliveries: never a 5xx, nothing stored that was not verified, and what is stored ends well.

`make fuzz` looks longer.
"""

import json
import os
import socket

import pytest
from django.db import connection
from django.test import Client, override_settings
from hypothesis import event as note
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from tests.connect.nonsense import (
    ENVELOPES,
    FORGERIES,
    SECRETS,
    SNAPSHOT,
    THIN,
    deliveries,
    headers,
    put,
    sign_right,
)
from tests.connect.serving import HOST, serving

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))

END_STATES = {"processed", "failed", "parked", "ignored"}


@pytest.fixture(autouse=True)
def all_endpoints(caplog):
    # What is logged of ten thousand refusals would be kept until the end.
    caplog.set_level("CRITICAL")
    with override_settings(STRIPE_WEBHOOK_SECRETS=SECRETS):
        yield


def post(body, header=None, endpoint="connect", **environment):
    """Deliver as a web server would hand it on: what raises is answered 500, and not raised here."""
    if header is not None:
        environment["HTTP_STRIPE_SIGNATURE"] = header
    return Client(raise_request_exception=False).post(
        f"/stripe/webhooks/{endpoint}/", body, content_type="application/json", **environment
    )


def forget():
    for model in (InboxEvent, Customer, Charge):
        model.objects.all().delete()


def is_refused(response):
    """Say that it was refused, and nothing was stored."""
    assert 400 <= response.status_code < 500, response.content
    assert not InboxEvent.objects.exists()
    return True


def ends_well(response, body):
    """Check what became of a verified delivery: it was refused, or it is kept as it was sent, and comes to an end."""
    if response.status_code != 200:
        assert is_refused(response)
        return f"answered {response.status_code}"
    inbox = InboxEvent.objects.get()
    assert inbox.payload.encode() == body
    Worker().run_once()
    inbox.refresh_from_db()
    assert inbox.state in END_STATES
    assert (inbox.state == "processed") == (not inbox.error), "what is not processed says why"
    assert connection.is_usable()
    forget()
    return f"{inbox.endpoint} {inbox.state}"


@given(deliveries)
@settings(max_examples=2 * EXAMPLES)
def test_whatever_is_signed_is_refused_or_ends_well(delivery):
    endpoint, body = delivery
    note(ends_well(post(body, sign_right(body, endpoint), endpoint), body))


@given(deliveries)
@settings(max_examples=EXAMPLES)
@override_settings(CONNECT_PROCESSING="worker")
def test_so_it_does_when_a_worker_processes_it(delivery):
    endpoint, body = delivery
    note(ends_well(post(body, sign_right(body, endpoint), endpoint), body))


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", SECRETS)
@pytest.mark.parametrize("forgery", FORGERIES, ids=[forgery.name for forgery in FORGERIES])
def test_a_forged_signature_is_refused(forgery, endpoint):
    body = json.dumps(ENVELOPES[endpoint]).encode()
    assert is_refused(post(body, forgery(body, endpoint), endpoint))
    assert post(body, sign_right(body, endpoint), endpoint).status_code == 200, (
        "it was the signature"
    )


@given(deliveries, st.sampled_from(FORGERIES))
@settings(max_examples=EXAMPLES)
def test_a_forged_signature_is_refused_whatever_the_body_is(delivery, forgery):
    endpoint, body = delivery
    assert is_refused(post(body, forgery(body, endpoint), endpoint))


@given(headers, st.sampled_from([json.dumps(SNAPSHOT).encode(), b"", b"\0"]))
@settings(max_examples=2 * EXAMPLES)
@example(",".join(["t=1"] * 1000), b"")
@example("t=" + "1" * 100_000, b"")
@example("t=\xb9,v1=00", b"")
@example("t=1,v1=\udcff", b"")
def test_a_header_that_means_nothing_is_refused(header, body):
    assert is_refused(post(body, header))


METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", SECRETS)
@pytest.mark.parametrize("method", METHODS)
def test_no_other_method_delivers(method, endpoint):
    body = json.dumps(ENVELOPES[endpoint]).encode()
    header = sign_right(body, endpoint)
    client = Client(raise_request_exception=False)
    response = client.generic(
        method, f"/stripe/webhooks/{endpoint}/", body, HTTP_STRIPE_SIGNATURE=header
    )
    assert response.status_code == 405
    assert is_refused(response)


@given(st.one_of(st.text(max_size=30), st.sampled_from(["Connect", "connect ", "__class__", "-"])))
@settings(max_examples=EXAMPLES)
def test_there_are_no_other_endpoints(name):
    name = name.replace("?", "").replace("#", "")
    if name in SECRETS or "/" in name or name in {"", ".", ".."}:
        return
    body = json.dumps(SNAPSHOT).encode()
    response = post(body, sign_right(body, "connect"), name)
    assert response.status_code == 404
    assert is_refused(response)


BODY = json.dumps(SNAPSHOT).encode()
WRONG_LENGTHS = ["", "abc", "-1", "0", "5", str(len(BODY) + 100), "9" * 30, "1e3", f"+{len(BODY)}"]


@pytest.fixture
def raw_request():
    """Return a function that sends bytes to a web server, and returns the status of the answer, if there is one."""
    with serving() as port:

        def send(request):
            with socket.create_connection((HOST, port), timeout=10) as client:
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
                answer = b""
                while received := client.recv(10_000):
                    answer += received
            return int(answer.split()[1]) if answer.startswith(b"HTTP/") else None

        yield send


def request_bytes(*lines, body=BODY, header=None, version="HTTP/1.1"):
    """An HTTP request to the endpoint, signed."""
    signed = header or f"Stripe-Signature: {sign_right(BODY, 'connect')}"
    first = f"POST /stripe/webhooks/connect/ {version}"
    head = "\r\n".join([first, f"Host: {HOST}", signed, *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def test_wrong_lengths_are_no_error_of_ours(raw_request):
    for length in WRONG_LENGTHS:
        status = raw_request(request_bytes(f"Content-Length: {length}"))
        whole = status == 200  # what was signed did come
        assert status is None or status == 400 or (whole and int(length) >= len(BODY))
        assert InboxEvent.objects.count() == whole
        forget()


def test_malformed_requests_are_no_error_of_ours(raw_request):
    length = f"Content-Length: {len(BODY)}"
    for request in [
        request_bytes(),
        request_bytes(length, length + "0", header="X: y"),
        request_bytes("Transfer-Encoding: chunked", body=b"5\r\n{}\r\n"),
        request_bytes(length, "Transfer-Encoding: chunked", header="X: y"),
        request_bytes(length, "Content-Encoding: gzip", header="X: y"),
        request_bytes(length, header="Stripe-Signature: \xff\xfe\x80"),
        request_bytes(length, header="Stripe-Signature: t=1,v1=\x00"),
        request_bytes(length, header="Stripe-Signature: " + "v1=0," * 10_000),
        request_bytes(length, header="Stripe_Signature: " + sign_right(BODY, "connect")),
        request_bytes(length, header="X: y", version="HTTP/1.0"),
        request_bytes(length, header="X: y", version="HTTP/9.9"),
        request_bytes(*[f"X-{n}: y" for n in range(200)]),
        b"POST /stripe/webhooks/connect/\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"",
    ]:
        status = raw_request(request)
        assert status is None or 400 <= status < 500 or status == 505, request[:300]
        assert not InboxEvent.objects.exists()


def with_text(event, text):
    """Return the bytes of `event` with one key more, whose value is any text."""
    return (json.dumps(event)[:-1] + f', "more": {text}}}').encode()


CORPUS = {
    "an event within an event": put(SNAPSHOT, ("data", "object"), SNAPSHOT),
    "a snapshot that says it is thin": SNAPSHOT | {"object": "v2.core.event"},
    "a thin one that says it is a snapshot": THIN | {"object": "event"},
    "both kinds at once": THIN | SNAPSHOT,
    "an account in the object alone": put(
        put(SNAPSHOT, ("account",), ...), ("data", "object", "account"), "acct_B"
    ),
    "an account of the platform's": SNAPSHOT | {"account": "platform"},
    "an account that is every one": SNAPSHOT | {"account": "*"},
    "an account with SQL": SNAPSHOT | {"account": "'; DROP TABLE stripe_customer; --"},
    "an account with a pattern": SNAPSHOT | {"account": "acct_%"},
    "an object named like a table": put(SNAPSHOT, ("data", "object", "object"), "inboxevent"),
    "an object named like a class": put(SNAPSHOT, ("data", "object", "object"), "__class__"),
    "an object with an endless name": put(SNAPSHOT, ("data", "object", "object"), "x" * 300),
    "a type that is a pattern": SNAPSHOT | {"type": "*"},
    "a type that ends all": SNAPSHOT | {"type": ".deleted"},
    "a deletion that was created": SNAPSHOT | {"type": "customer.created.deleted"},
    "previous attributes of the id": put(
        SNAPSHOT, ("data", "previous_attributes"), {"id": "cus_2", "object": "charge"}
    ),
    "previous attributes that are deep": put(
        SNAPSHOT, ("data", "previous_attributes"), {"metadata": {"a": [[[[]]]]}}
    ),
    "a date in 9999": SNAPSHOT | {"created": 253_402_300_799},
    "a date in 10000": SNAPSHOT | {"created": 253_402_300_800},
    "a date beyond all clocks": SNAPSHOT | {"created": 10**18},
    "a date before 1970": SNAPSHOT | {"created": -1},
    "a date in 1970": SNAPSHOT | {"created": 0},
    "a thin date without a zone": THIN | {"created": "2026-01-31T12:00:00"},
    "a thin date at the end of time": THIN | {"created": "9999-12-31T23:59:59.999999-23:59"},
    "a context with many segments": THIN | {"context": "org_1/" * 40 + "acct_A"},
    "a context that ends in none": THIN | {"context": "acct_A/"},
    "half of a pair, and deep": with_text(SNAPSHOT, '["\\ud800", ' + "[" * 3000 + "]" * 3000 + "]"),
    "half of a pair, and endless": with_text(SNAPSHOT, '["\\ud800", ' + "9" * 100_000 + "]"),
    "half of a pair, and no number": with_text(SNAPSHOT, '["\\ud800", NaN]'),
    "half of a pair in a thin one": with_text(THIN, '"\\ud800"'),
    "a related object of nobody": THIN | {"related_object": None},
    "a related object elsewhere": put(THIN, ("related_object", "url"), "//evil.example/v1/x"),
    "a related object upstairs": put(THIN, ("related_object", "url"), "/v1/../../x"),
    "a related object with a query": put(
        THIN, ("related_object", "url"), "/v1/customers?limit=100"
    ),
    "a related object of another kind": put(THIN, ("related_object", "type"), "charge"),
    "a related object without an id": put(THIN, ("related_object", "id"), ...),
}


@pytest.mark.django_db
@pytest.mark.parametrize("endpoint", SECRETS)
@pytest.mark.parametrize("event", CORPUS.values(), ids=CORPUS)
def test_confused_events_are_refused_or_end_well(event, endpoint):
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    assert ends_well(post(body, sign_right(body, endpoint), endpoint), body)


def test_the_account_is_that_of_the_envelope_and_no_other():
    event = CORPUS["an account in the object alone"]
    body = json.dumps(event).encode()
    assert post(body, sign_right(body, "platform"), "platform").status_code == 200
    assert InboxEvent.objects.get().connect_account_id == ""
    assert Customer.objects.get().connect_account_id == ""
