"""Forged and confused deliveries: never a 5xx, nothing stored that was not verified, and what is stored ends well.

`make fuzz` looks longer.
"""

import json
import os
import socket
import time
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test import Client, override_settings
from hypothesis import event as note
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connect.models import InboxEvent
from connect.testing import sign
from connect.worker import Worker
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from tests.conftest import NOW_UNIX
from tests.connect.serving import HOST, serving

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))

SECRETS = {
    "platform": ["whsec_pLaTf0rmPLATF0RMplatf0rm1234"],
    "connect": ["whsec_c0nneCTC0NNECTc0nnect567890", "whsec_r0tatedR0TATEDr0tated12345"],
    "thin": ["whsec_th1nTHINth1n5678th1nTHIN90"],
}
STRANGERS = "whsec_n0b0dysN0B0DYSn0b0dys12345"
END_STATES = {"processed", "failed", "parked", "ignored"}

SNAPSHOT = {
    "id": "evt_1",
    "object": "event",
    "type": "customer.updated",
    "account": "acct_A",
    "livemode": False,
    "created": NOW_UNIX,
    "api_version": "2026-10-28.endive",
    "pending_webhooks": 1,
    "request": {"id": "req_1", "idempotency_key": "key"},
    "data": {
        "object": {
            "id": "cus_1",
            "object": "customer",
            "created": NOW_UNIX,
            "balance": 0,
            "currency": "usd",
            "email": "a@example.com",
            "metadata": {"a": "b"},
        },
        "previous_attributes": {"metadata": {"a": "a"}},
    },
}
THIN = {
    "id": "evt_test_1",
    "object": "v2.core.event",
    "type": "v1.customer.created",
    "created": "2026-01-31T12:00:00.987Z",
    "livemode": False,
    "context": "acct_A",
    "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "key"}},
    "related_object": {"id": "cus_1", "type": "customer", "url": "/v1/customers/cus_1"},
}
ENVELOPES = {"platform": SNAPSHOT, "connect": SNAPSHOT, "thin": THIN}


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


# Headers


def sign_right(body, endpoint):
    return sign(body, SECRETS[endpoint][-1])


@dataclass(frozen=True)
class Forgery:
    """A way to sign that proves nothing."""

    name: str

    def __call__(self, body, endpoint):
        return getattr(self, self.name)(body, endpoint)

    def nobodys_secret(self, body, endpoint):
        return sign(body, STRANGERS)

    def the_other_endpoints(self, body, endpoint):
        others = [secrets[0] for name, secrets in SECRETS.items() if name != endpoint]
        return sign(body, *others)

    def old(self, body, endpoint):
        return sign(body, *SECRETS[endpoint], timestamp=int(time.time()) - 302)

    def future(self, body, endpoint):
        return sign(body, *SECRETS[endpoint], timestamp=int(time.time()) + 310)

    def of_other_bytes(self, body, endpoint):
        return sign(body + b" ", *SECRETS[endpoint])

    def as_v0(self, body, endpoint):
        return sign_right(body, endpoint).replace("v1=", "v0=")

    def without_a_time(self, body, endpoint):
        return sign_right(body, endpoint).partition(",")[2]

    def two_times(self, body, endpoint):
        return f"t=1,{sign_right(body, endpoint)}"

    def uppercase(self, body, endpoint):
        time_, _, mac = sign_right(body, endpoint).partition("v1=")
        return f"{time_}v1={mac.upper().replace('0', 'O')}"

    def cut_short(self, body, endpoint):
        return sign_right(body, endpoint)[:-1]

    def too_many(self, body, endpoint):
        return sign(body, *[STRANGERS] * 20, SECRETS[endpoint][0])

    def missing(self, body, endpoint):
        return None

    def empty(self, body, endpoint):
        return ""


FORGERIES = [Forgery(name) for name in vars(Forgery) if not name.startswith("_") and name != "name"]

# As a WSGI server hands them on: every byte a character.
header_text = st.binary(max_size=80).map(lambda raw: raw.decode("latin-1"))
header_parts = st.one_of(
    header_text,
    st.sampled_from(["t=", "v1=", "v0=", "=", ",", " ", "t", "v1", "a" * 10_000]),
    st.integers().map("t={}".format),
    st.integers(0, 400).map(lambda ago: f"t={int(time.time()) - ago}"),
    st.binary(min_size=32, max_size=32).map(lambda mac: f"v1={mac.hex()}"),
    st.text(max_size=20).map("v1={}".format),
    st.sampled_from(["t=٣", "t=¹", "t=1_0", "t=+1", "t= 1", "t=1e9", "v1=é", "v1=\udcff", "V1=00"]),
)
headers = st.one_of(
    header_text,
    st.lists(header_parts, max_size=40).map(",".join),
    st.integers(0, 2000).map(lambda n: f"t={int(time.time())}" + ",v1=00" * n),
)


# Bodies

texts = st.text(st.characters(), max_size=30)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 2**64, 10**400, 253_402_300_800]),
    st.floats(),
    texts,
    st.sampled_from(
        [
            *("", " ", "\0", "\ud800", "x" * 256, "ü", "\u202e", "acct_A/acct_B", "/", "*", "null"),
            *("9999-12-31T23:59:59Z", "2026-01-31", "0001-01-01T00:00:00+23:59", "2026-02-30"),
            *("/v1/../v2/x", "/v1/\n", "//evil.example/v1/", "https://evil.example/v1/x", "/v1/"),
        ]
    ),
    st.sampled_from(["customer", "charge", "account", "event", "v2.core.event", "v2.core.account"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)
RAW = [
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e999999", "1e-999999", "9" * 5000, "9" * 200_000),
    *("-0", "1.0", "01", "0x1", "tru", '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\q"'),
    *("[" * 100 + "]" * 100, "[" * 2000 + "]" * 2000, '{"a":' * 900 + "1" + "}" * 900),
    *('{"id": "cus_1", "id": ["cus_2"]}', '{"": {}}', '"' + "x" * 100_000 + '"'),
]
"""Values as text, which Python would not write."""


def places(value, path=()):
    """Return every position in `value`, as a path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, (*path, key))


def put(value, path, new):
    """Return `value` with `new` at `path`; without the key, if `new` is `...`."""
    head, *rest = path
    if rest:
        return value | {head: put(value[head], rest, new)}
    return {k: v for k, v in value.items() if k != head} if new is ... else value | {head: new}


@st.composite
def mutated(draw, envelope):
    """An event of which some positions have something else in them."""
    event, raw = envelope, {}
    for path in draw(st.lists(st.sampled_from(list(places(envelope))), min_size=1, max_size=2)):
        new = draw(st.one_of(st.just(...), values, st.sampled_from(RAW).map(Raw)))
        if isinstance(new, Raw):
            raw[f"raw {len(raw)}"] = new.text
            new = f"raw {len(raw) - 1}"
        if path in places(event):  # and not within what was changed already
            event = put(event, path, new)
    text = json.dumps(event, ensure_ascii=draw(st.booleans()))
    for name, literal in raw.items():
        text = text.replace(f'"{name}"', literal)
    return text.encode(errors="surrogatepass")


@dataclass(frozen=True)
class Raw:
    """A value as text."""

    text: str


@st.composite
def damaged(draw, envelope):
    """The bytes of an event, damaged on the way."""
    text = json.dumps(envelope)
    way = draw(
        st.sampled_from(["cut", "byte", "bom", "utf-16", "utf-32", "latin-1", "twice", "key"])
    )
    if way == "cut":
        return text[: draw(st.integers(0, len(text)))].encode()
    if way == "byte":
        raw = bytearray(text.encode())
        for _ in range(draw(st.integers(1, 3))):
            raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
        return bytes(raw)
    if way == "bom":
        return b"\xef\xbb\xbf" + text.encode()
    if way == "twice":
        return text.encode() * 2
    if way == "key":
        # The last one counts, for Python and for PostgreSQL alike.
        key, new = draw(st.sampled_from(list(envelope))), draw(values)
        return (text[:-1] + f", {json.dumps(key)}: {json.dumps(new)}}}").encode()
    return text.replace("cus_1", "cüs_1").encode(way)


def bodies(endpoint):
    envelope = ENVELOPES[endpoint]
    return st.one_of(
        mutated(envelope),
        mutated(envelope),
        damaged(envelope),
        values.map(json.dumps).map(str.encode),
        st.binary(max_size=100),
        st.sampled_from([json.dumps(each).encode() for each in (SNAPSHOT, THIN)]),
    )


endpoints = st.sampled_from(list(SECRETS))
deliveries = endpoints.flatmap(lambda endpoint: st.tuples(st.just(endpoint), bodies(endpoint)))


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
