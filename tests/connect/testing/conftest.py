"""A stand-in, the real SDK talking to it, and a receiver for its webhooks."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing import official_spec
from tests.connect.testing.billing import price  # noqa: F401 - a fixture


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn(seed=1) as running:
        yield running
        official_spec.expect_valid(running.asked)


@pytest.fixture
def stripe(stand_in: StandIn) -> sdk.StripeClient:
    return stand_in.client()


@pytest.fixture
def merchant(stand_in: StandIn, stripe: sdk.StripeClient) -> str:
    return onboarded(stand_in, stripe)


@pytest.fixture
def other_merchant(stand_in: StandIn, stripe: sdk.StripeClient) -> str:
    return onboarded(stand_in, stripe)


def onboarded(stand_in: StandIn, stripe: sdk.StripeClient) -> str:
    wanted: Any = {"transfers": {"requested": True}, "card_payments": {"requested": True}}
    account = stripe.v1.accounts.create(
        {"type": "express", "country": "US", "capabilities": wanted}
    )
    stand_in.onboard(account.id)
    return account.id


@pytest.fixture
def pay(stripe: sdk.StripeClient) -> Callable[..., sdk.PaymentIntent]:
    """Pay 10.00 USD by card, on the platform or `on` an account."""

    def pay(on: str | None = None, card: str = "visa", **params: Any) -> sdk.PaymentIntent:
        options: Any = {"stripe_account": on} if on else {}
        payment: Any = {
            "amount": 1000,
            "currency": "usd",
            "payment_method": f"pm_card_{card}",
            "confirm": True,
            "expand": ["latest_charge.balance_transaction"],
        }
        return stripe.v1.payment_intents.create(payment | params, options)

    return pay


@dataclass
class Received:
    """Webhooks as they arrived. `answers` are the statuses to give next; 200 when there are none."""

    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(body) for _, body in self.requests]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@pytest.fixture
def receiver() -> Iterator[Received]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.requests.append((dict(self.headers), body))
            self.send_response_only(received.answers.pop(0) if received.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    received = Received(f"http://127.0.0.1:{server.server_port}/webhooks/")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield received
    server.shutdown()
    server.server_close()
    thread.join()
