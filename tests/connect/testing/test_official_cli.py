"""Stripe's own CLI as judge: its triggers run against the stand-in, on the platform and on a connected account.

The CLI comes from npm into pytest's cache, once. Nothing of it is part of the project.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.conftest import onboarded

VERSION = "1.52.0"
KEY = "sk_test_1234567890abcdef"
# What the stand-in does not know, and why.
ISSUING = "Issuing is not built: this module mirrors nothing of it"
IDENTITY = "Identity is not built: this module mirrors nothing of it"
METERS = "meters and their v2 event stream are not built"
FAILING = {
    "identity.verification_session.canceled": IDENTITY,
    "identity.verification_session.created": IDENTITY,
    "identity.verification_session.redacted": IDENTITY,
    "issuing_authorization.request": ISSUING,
    "issuing_authorization.request.eu": ISSUING,
    "issuing_authorization.request.gb": ISSUING,
    "issuing_card.created": ISSUING,
    "issuing_card.created.eu": ISSUING,
    "issuing_card.created.gb": ISSUING,
    "issuing_cardholder.created": ISSUING,
    "issuing_cardholder.created.eu": ISSUING,
    "issuing_cardholder.created.gb": ISSUING,
    "issuing_transaction.created": ISSUING,
    "issuing_transaction.purchase_details_receipt_updated": ISSUING,
    "issuing_transaction.updated": ISSUING,
    "reporting.report_run.succeeded": "reports are not built: they end in a file",
    "v1.billing.meter.error_report_triggered": METERS,
    "v1.billing.meter.no_meter_found": METERS,
}
# Triggers that pass and bring about no event of their name.
NO_SUCH_EVENT = {
    "subscription.payment_failed",  # Stripe has no such type: it is invoice.payment_failed
    "subscription.payment_succeeded",
    "subscription_schedule.aborted",  # comes from delinquency; the trigger cancels the schedule
}
MONEY_AND_CONNECT = re.compile(
    r"(account|balance|charge|checkout|payment_intent|payout|transfer|topup)\b.*"
)
WEEK_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Run:
    stand_in: StandIn
    account: str
    passed: set[str]
    failed: dict[str, str]
    platform_before: Any


@pytest.fixture(scope="module")
def cli(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    machine = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x64"
    place = f"node_modules/@stripe/cli-{sys.platform}-{machine}/bin/stripe"
    cache: Any = request.config.cache
    kept = Path(cache.mkdir(f"stripe-cli-{VERSION}")) / "stripe"
    if not kept.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not here, so the official Stripe CLI cannot be installed")
        folder = tmp_path_factory.mktemp("cli")
        command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                [*command, f"@stripe/cli@{VERSION}"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm's registry did not answer in time: no official Stripe CLI")
        if not (folder / place).exists():
            pytest.skip(f"npm could not install the official Stripe CLI: {done.stderr[-300:]}")
        part = kept.with_suffix(f".{os.getpid()}")
        shutil.copy(folder / place, part)
        part.replace(kept)
    return kept


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The CLI keeps its configuration at home: not in ours."""
    folder = str(tmp_path_factory.mktemp("home"))
    quiet = {"STRIPE_CLI_TELEMETRY_OPTOUT": "1", "DO_NOT_TRACK": "1", "NO_COLOR": "1"}
    return {"PATH": os.environ["PATH"], "HOME": folder, "XDG_CONFIG_HOME": folder, **quiet}


@pytest.fixture(scope="module")
def triggers(cli: Path, home: dict[str, str]) -> list[str]:
    said = subprocess.run(
        [cli, "trigger", "--help"], env=home, capture_output=True, text=True, check=True, timeout=30
    )
    listed = said.stdout.partition("Supported events:")[2].partition("Usage:")[0]
    return re.findall(r"^ +([a-z0-9_.]+)$", listed, re.MULTILINE)


@pytest.fixture(scope="module", params=["on the platform", "on a connected account"])
def run(
    request: pytest.FixtureRequest, cli: Path, home: dict[str, str], triggers: list[str]
) -> Iterator[Run]:
    with StandIn(seed=1) as stand_in:
        client = stand_in.client()
        account = "" if request.param == "on the platform" else onboarded(stand_in, client)
        fund(client, account)
        before = stand_in.state()
        base = [cli, "trigger", "--api-base", stand_in.url, "--api-key", KEY]
        base += ["--stripe-account", account] if account else []

        def one(trigger: str) -> tuple[str, str]:
            done = subprocess.run(
                [*base, trigger], env=home, capture_output=True, text=True, check=False, timeout=60
            )
            return trigger, "" if done.returncode == 0 else done.stdout[-500:] + done.stderr[-500:]

        with ThreadPoolExecutor(4) as pool:
            said = dict(pool.map(one, triggers))
        stand_in.advance(WEEK_SECONDS)
        failed = {trigger: text for trigger, text in said.items() if text}
        yield Run(stand_in, account, said.keys() - failed.keys(), failed, before)


def fund(client: sdk.StripeClient, account: str) -> None:
    """Transfers and payouts need money that is there."""
    options: Any = {"stripe_account": account} if account else {}
    params: Any = {"amount": 100_000, "currency": "usd", "confirm": True}
    client.v1.payment_intents.create({**params, "payment_method": "pm_card_bypassPending"}, options)


def test_every_trigger_passes_but_those_known_to_fail(run: Run) -> None:
    unexpected = {trigger: text for trigger, text in run.failed.items() if trigger not in FAILING}
    assert unexpected == {}
    assert run.failed.keys() == FAILING.keys()
    assert len(run.passed) >= 80


def test_all_of_money_and_connect_pass(run: Run, triggers: list[str]) -> None:
    wanted = {trigger for trigger in triggers if MONEY_AND_CONNECT.fullmatch(trigger)}
    assert len(wanted) >= 29
    assert wanted <= run.passed


def test_every_trigger_brings_about_its_event(run: Run) -> None:
    store = run.stand_in.world.store
    told = {
        event["type"]
        for account, noun in store.shelves()
        if noun == "event"
        for event in store.oldest_first(account, "event")
    }
    assert run.passed - told == NO_SUCH_EVENT


def test_what_happens_on_a_connected_account_stays_there(run: Run) -> None:
    if run.account:
        assert run.stand_in.state() == run.platform_before
    else:
        assert len(run.stand_in.state()) > len(run.platform_before)


def test_the_money_adds_up(run: Run) -> None:
    store, now = run.stand_in.world.store, run.stand_in.clock.now()
    for account, noun in store.shelves():
        if noun != "balance_transaction":
            continue
        sums: dict[str, list[int]] = {}
        for row in store.oldest_first(account, noun):
            sums.setdefault(row["currency"], [0, 0])[row["available_on"] > now] += row["net"]
        funds = run.stand_in.funds(account)
        assert {code: [f.available, f.pending] for code, f in funds.items()} == sums
