"""The stand-in as a process of its own, for any language, and the doors for those who run it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

Door = Callable[..., Any]


def ask(url: str, body: bytes | None = None) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, body, timeout=10) as response:  # noqa: S310 - our own server
            return response.status, json.load(response)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def door(stand_in: StandIn) -> Door:
    """`door("clock")` asks, `door("clock", advance=60)` tells."""

    def door(name: str, **told: Any) -> Any:
        body = json.dumps(told).encode() if told else None
        if name in {"flush", "reset"}:
            body = body or b"{}"
        return ask(f"{stand_in.url}/_stand_in/{name}", body)[1]

    return door


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    environment = {
        name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"
    }
    command = [sys.executable, "-m", "connect.testing", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running:
        yield running
        running.kill()


def test_it_serves_says_where_and_stops_when_told(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("stand-in Stripe ready on http://127.0.0.1:")
    stripe = sdk.StripeClient("sk_test_process", base_addresses={"api": line.split()[-1]})
    assert stripe.v1.customers.create().id.startswith("cus_")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_it_is_ready_within_a_second() -> None:
    # Processor time of the child: this machine may be busy with other tests.
    program = "import time; from connect.testing import StandIn; StandIn().start(); print(time.process_time())"
    assert float(python("-c", program).stdout) < 1


def test_it_needs_no_django() -> None:
    assert (
        python(
            "-c", "import sys, connect.testing; assert 'django.conf' not in sys.modules"
        ).returncode
        == 0
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.1", "example.com"])  # noqa: S104 - refused, that is the test
def test_it_serves_no_other_host(host: str) -> None:
    assert python("-m", "connect.testing", "--host", host).returncode == 2


def test_the_state_shows_each_accounts_objects(
    door: Door, stripe: sdk.StripeClient, merchant: str
) -> None:
    customer = stripe.v1.customers.create({"name": "Ann"}, {"stripe_account": merchant})
    state = door("state")
    assert set(state) == {"", merchant}
    assert state[merchant]["customer"][customer.id]["name"] == "Ann"
    assert set(state[merchant]["account"]) == {merchant}
    assert "customer" not in state[""]
    assert set(door(f"state?account={merchant}")) == {merchant}


def test_the_clock_can_be_set_frozen_and_moved(door: Door, stand_in: StandIn) -> None:
    assert door("clock", set=1_700_000_000, freeze=True)["now"] == 1_700_000_000
    assert door("clock", advance=60) == {"now": 1_700_000_060, "frozen": True}
    assert door("clock", freeze=False)["frozen"] is False
    assert stand_in.clock.now() - 1_700_000_060 in {0, 1, 2}


def test_the_clock_runs_on_from_where_it_was_set(stand_in: StandIn) -> None:
    stand_in.clock.set(1_800_000_000)
    assert stand_in.clock.now() - 1_800_000_000 in {0, 1}
    time.sleep(1.1)
    assert stand_in.clock.now() > 1_800_000_000


def test_switches_onboarding_flush_and_the_log(
    door: Door, stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url, connect=True)
    account = stripe.v1.accounts.create({"type": "express"}).id
    assert door("switches", duplicate=1, paused=True)["duplicate"] == 1
    assert door("onboard", account=account)["charges_enabled"] is True
    assert door("flush") == {"delivered": True}
    log = door("deliveries")
    assert len(log) == 2 * len({line["event"] for line in log})
    assert door("balances") == {"": {}, account: {}}
    door("reset")
    assert door("state") == {"": {}}


def test_onboarding_in_parts_and_leaving_at_the_doors(
    door: Door, stripe: sdk.StripeClient, merchant: str
) -> None:
    account = stripe.v1.accounts.create({"type": "express"}).id
    left = {"leave_due": ["individual.id_number"], "stand": "pending_verification"}
    found = door("onboard", account=account, **left, answers={"business_name": "Ann's"})
    assert found["requirements"]["pending_verification"] == ["individual.id_number"]
    assert found["business_profile"]["name"] == "Ann's"
    assert door("deauthorize", account=merchant) == {}
    assert [row.id for row in stripe.v1.accounts.list().data] == [account]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("switches", {"nope": 1}),
        ("clock", {"set": "x"}),
        ("onboard", {}),
        ("onboard", {"account": "acct_unknown"}),
        ("onboard", {"account": "acct_unknown", "answers": {"shoe_size": 42}}),
        ("deauthorize", {"account": "acct_unknown"}),
    ],
)
def test_nonsense_at_the_doors_is_refused(
    stand_in: StandIn, name: str, told: dict[str, Any]
) -> None:
    status, _ = ask(f"{stand_in.url}/_stand_in/{name}", json.dumps(told).encode())
    assert status in {400, 404}


def test_unknown_doors_name_the_known_ones(stand_in: StandIn) -> None:
    status, answer = ask(f"{stand_in.url}/_stand_in/nothing")
    assert status == 404
    assert "GET state" in answer["known"]
