"""Deliveries made up by hypothesis: events, and what is wrong with their bodies, headers and signatures."""

import json
import time
from dataclasses import dataclass

from hypothesis import strategies as st

from connect.testing import sign
from tests.conftest import NOW_UNIX

SECRETS = {
    "platform": ["whsec_pLaTf0rmPLATF0RMplatf0rm1234"],
    "connect": ["whsec_c0nneCTC0NNECTc0nnect567890", "whsec_r0tatedR0TATEDr0tated12345"],
    "thin": ["whsec_th1nTHINth1n5678th1nTHIN90"],
}
STRANGERS = "whsec_n0b0dysN0B0DYSn0b0dys12345"

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
