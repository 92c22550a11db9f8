"""Owns the shop's Stripe where there is no key: the stand-in, in a process of its own that ends with this one.

A stand-in forgets everything when it ends, and the shop's database does not. So a new one is told the accounts
that the shop knows (`Memory`): its merchants go on selling. What they sold before stays in the mirror alone.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

import connect
from connect import testing
from connect.conf import SNAPSHOT_ENDPOINTS
from connect.context import every_account
from django_stripe.account.models import Account
from example_platform.environment import ROOT

FLUSH_SECONDS_MAX: Final = 60

State = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Every object of the platform ("") and of each account: account → kind → id → object."""


@dataclass(frozen=True)
class Memory:
    """What a new stand-in is told: the platform's id, and the accounts connected to it as they were."""

    platform: str = ""
    accounts: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of_the_mirror(cls) -> Memory:
        """What the shop knows of its accounts."""
        with every_account():
            own = Account.objects.platform().values_list("stripe_id", flat=True).first()
            connected = Account.objects.alive().exclude(connect_account_id="").order_by("created")
            return cls(own or "", list(connected.values_list("data", flat=True)))


@dataclass(frozen=True)
class StandIn:
    """A running stand-in, and the doors for those who run it; `connect.testing.admin` says what is behind each."""

    url: str

    def ask(self, door: str) -> Any:
        return self._open(door, None)

    def tell(self, door: str, **told: Any) -> Any:
        return self._open(door, json.dumps(told).encode())

    def state(self) -> State:
        """Return every object there is, as a retrieve in its account would answer it."""
        state: State = self.ask("state")
        return state

    def flush(self) -> None:
        """Deliver everything now. Raises TimeoutError if the shop does not take it."""
        if not self.tell("flush", timeout_seconds=FLUSH_SECONDS_MAX)["delivered"]:
            raise TimeoutError(
                f"The stand-in could not deliver all its events within {FLUSH_SECONDS_MAX} seconds; "
                f"{self.url}/_stand_in/deliveries says what became of each attempt."
            )

    def _open(self, door: str, body: bytes | None) -> Any:
        address = f"{self.url}/_stand_in/{door}"
        with urllib.request.urlopen(address, body, timeout=FLUSH_SECONDS_MAX + 10) as answer:  # noqa: S310
            return json.load(answer)


@contextlib.contextmanager
def running(memory: Memory = Memory()) -> Iterator[StandIn]:
    """Run a stand-in during a block."""
    command = [sys.executable, "-m", "example_platform.stand_in_process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:  # noqa: S603
        assert process.stdin  # noqa: S101 - pipes were asked for
        assert process.stdout  # noqa: S101
        process.stdin.write(json.dumps(asdict(memory)) + "\n")
        process.stdin.flush()
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(
                f"The stand-in ended with {process.wait()} before it was ready; its reason is above."
            )
        yield StandIn(url)


def use(stand_in: StandIn, shop_url: str) -> None:
    """Make `stand_in` the Stripe of this process, and have it deliver to the shop at `shop_url`.

    Which ports are free, and so the addresses and secrets, is known only now: the settings, which the
    module reads at call time, are told here. https://docs.stripe.com/api/webhook_endpoints/create
    """
    settings.STRIPE_API_KEY = testing.StandIn.api_key
    settings.STRIPE_API_BASE = stand_in.url
    client = connect.client(account=connect.PLATFORM)
    secrets = {}
    for endpoint in SNAPSHOT_ENDPOINTS:
        created = client.v1.webhook_endpoints.create(
            {
                "url": shop_url + reverse("connect:webhook", args=[endpoint]),
                "connect": endpoint == "connect",
                "enabled_events": ["*"],
            }
        )
        secrets[endpoint] = [created.secret]
    settings.STRIPE_WEBHOOK_SECRETS = secrets
