"""Whatever has the right types, in whatever combination, on objects that exist, is answered in order: no defect, and
money that adds up."""

import http.client
import json
import random
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import stripe as sdk

from connect.testing import StandIn
from connect.testing.parameters import Field, compiled
from connect.testing.routing import ROUTES, Route
from tests.connect.testing.conftest import onboarded
from tests.connect.testing.test_stand_in_billing_fixtures import billing

TRIES = 4
# What a field of this name most often holds, so that requests get beyond the first refusal.
LIKELY = {
    "currency": ("usd", "usd", "usd", "eur", "USD", "xx"),
    "payment_method": ("pm_card_visa", "pm_card_chargeDeclined", "pm_card_authenticationRequired"),
    "source": ("tok_visa", "tok_chargeDeclined", "tok_none"),
    "iban": ("AT611904300234573201", "AT861904300235473202", "x"),
    "interval": ("day", "week", "month", "year"),
    "url": ("http://localhost:9/", "nonsense"),
    "country": ("US", "DE", "xx"),
    "mode": ("payment", "setup", "subscription"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with StandIn(seed=11) as stand_in:
        stripe = stand_in.client()
        prepare(stand_in, stripe)
        yield stand_in


def prepare(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    """Something of everything, and money that is there."""
    billing(stand_in, stripe)
    shared: Any = {"transfer_data": {"destination": onboarded(stand_in, stripe)}}
    for card, amount, more in (
        ("bypassPending", 900_000, {}),
        ("createDispute", 5_000, {}),
        ("visa", 5_000, {**shared, "application_fee_amount": 500}),
    ):
        params: Any = {"amount": amount, "currency": "usd", "confirm": True, **more}
        stripe.v1.payment_intents.create({**params, "payment_method": f"pm_card_{card}"})


# What most requests have that get anywhere.
USUAL = {
    "amount",
    "charge",
    "confirm",
    "customer",
    "items",
    "line_items",
    "payment_method",
    "percent_off",
    "phases",
    "price",
    "product",
    "source_transaction",
}


# Where the address does not say what it is about.
NOUNS = {
    "configurations": "billing_portal.configuration",
    "sessions": "checkout.session",
    "sources": "card",
    "test_clocks": "test_helpers.test_clock",
}


class Writer:
    """Random parameters of the right types."""

    def __init__(self, stand_in: StandIn, seed: int) -> None:
        self.stand_in = stand_in
        self.random = random.Random(seed)  # noqa: S311 - the same every time is the point

    def ids(self, noun: str) -> list[str]:
        rows = self.stand_in.state().get(noun, {})
        accounts = list(self.stand_in.world.accounts())
        return accounts if noun in {"account", "destination", "on_behalf_of"} else list(rows)

    def value(self, name: str, spec: Field, depth: int) -> Any:
        ways = []
        if spec.fields is not None and depth < 4:
            ways.append(lambda: self.fields(spec, depth + 1))
        if spec.item is not None and depth < 4:
            item = spec.item
            count = self.random.choice((1, 1, 2))
            ways.append(
                lambda: [self.value(name.rstrip("s"), item, depth + 1) for _ in range(count)]
            )
        if spec.mapping:
            ways.append(lambda: {"a": self.random.choice(("b", ""))})
        if any(spec.choices):
            ways.append(lambda: self.random.choice(spec.choices))
        elif spec.scalars:
            ways.append(lambda: self.scalar(name, spec))
        return self.random.choice(ways)() if ways else ""

    def scalar(self, name: str, spec: Field) -> Any:
        if name in LIKELY:
            return self.random.choice(LIKELY[name])
        if "bool" in spec.scalars:
            return self.random.choice(("true", "false"))
        if spec.scalars & {"int", "float", "decimal"}:
            return self.random.choice((0, 1, 1, 2, 7, 10, 500, 2000, -5, 2_000_000_000, 10**15))
        known = self.ids(name) or self.ids(name.replace("default_", ""))
        return self.random.choice([*known[-8:], "text", "é" * 3, "x" * 300][: 1 + len(known)])

    def fields(self, spec: Field, depth: int = 0) -> dict[str, Any]:
        some = 0.2 if depth == 0 else 0.3
        return {
            name: self.value(name, kind, depth)
            for name, kind in (spec.fields or {}).items()
            if name != "expand"
            and (name in spec.required or self.random.random() < (0.8 if name in USUAL else some))
        }

    def path(self, route: Route) -> str:
        segments = []
        for before, segment in zip(("", *route.segments), route.segments, strict=False):
            if not segment.startswith("{"):
                segments.append(segment)
                continue
            noun = NOUNS.get(before) or before.removesuffix("s")
            segments.append(quote(self.random.choice(self.ids(noun) or ["x_none"])))
        return "/" + "/".join(segments)


def encoded(value: Any, name: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        rows = [(f"{name}[{key}]" if name else key, part) for key, part in value.items()]
    elif isinstance(value, list):
        rows = [(f"{name}[{index}]", part) for index, part in enumerate(value)]
    else:
        return [(name, str(value))]
    return [pair for inner, part in rows for pair in encoded(part, inner)]


def turn(route: Route) -> tuple[bool, int]:
    """What creates comes first, what deletes last."""
    deletes = route.method == "DELETE"
    return deletes, len(route.segments) * (-1 if deletes else 1)


WRITING = sorted(
    (
        route
        for key in sorted(ROUTES)
        for route in ROUTES[key]
        if route.operation and route.method != "GET" and route.segments[0] == "v1"
    ),
    key=turn,
)


@pytest.mark.parametrize("route", WRITING, ids=lambda r: f"{r.method} /{'/'.join(r.segments)}")
def test_what_is_well_typed_is_answered_in_order(running: StandIn, route: Route) -> None:
    writer = Writer(running, seed=len("/".join(route.segments)))
    headers = {"Authorization": f"Bearer {running.api_key}"}
    with closing(http.client.HTTPConnection(running.url.removeprefix("http://"))) as connection:
        for _ in range(TRIES):
            assert route.operation is not None
            body = urlencode(encoded(writer.fields(compiled(route.operation))))
            path = writer.path(route)
            connection.request(route.method, path, body.encode(), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            assert response.status < 500, (path, body, answer)
            assert "error" in answer or answer.get("object") or answer.get("deleted"), (
                path,
                answer,
            )
    money_adds_up(running)


def money_adds_up(stand_in: StandIn) -> None:
    now, store = stand_in.clock.now(), stand_in.world.store
    for account in ["", *stand_in.world.accounts()]:
        sums: dict[str, list[int]] = {}
        for row in store.oldest_first(account, "balance_transaction"):
            sums.setdefault(row["currency"], [0, 0])[row["available_on"] > now] += row["net"]
        funds = {code: [f.available, f.pending] for code, f in stand_in.funds(account).items()}
        assert funds == sums


def test_time_may_pass_after_all_of_it(running: StandIn, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(4):
        running.advance(31 * 24 * 3600)
    money_adds_up(running)
    assert "Traceback" not in capfd.readouterr().err
