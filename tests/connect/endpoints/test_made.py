"""What is made, and what is left alone."""

import os

import pytest
import stripe as sdk

from connect.models import InboxEvent
from connect.secrets_file import fingerprint
from tests.connect.endpoints.at_stripe import (
    BASE,
    CONNECT,
    OLD_VERSION,
    PLATFORM,
    at,
    rows,
    writes,
)


def test_it_makes_an_endpoint_for_the_platform_and_one_for_connected_accounts(stripe, run, secrets):
    done = run("--secrets-to", secrets.path)
    assert done.status == 0
    (platform,), (connected,) = at(stripe, PLATFORM), at(stripe, CONNECT)
    assert (platform.connect, connected.connect) == (False, True)
    assert platform.api_version == connected.api_version == sdk.api_version
    assert set(platform.enabled_events) == set(connected.enabled_events)
    assert {"charge.refunded", "charge.dispute.created", "refund.updated"} <= set(
        platform.enabled_events
    )
    assert [line.split(",")[0] for line in done.lines[:2]] == [
        f"platform: created {platform.id}",
        f"connect: created {connected.id}",
    ]
    assert "three days" in done.lines[2]


def test_secrets_go_to_a_file_that_only_its_owner_reads(stripe, run, secrets):
    former = os.umask(0)
    try:
        run("--secrets-to", secrets.path)
    finally:
        os.umask(former)
    assert secrets.path.stat().st_mode & 0o777 == 0o600
    assert secrets() == {
        "platform": at(stripe, PLATFORM)[0].secrets,
        "connect": at(stripe, CONNECT)[0].secrets,
    }
    assert [path.name for path in secrets.path.parent.iterdir()] == [secrets.path.name]


def test_stripe_is_told_by_what_to_recognise_the_secret_and_not_the_secret(stripe, run, secrets):
    run("--secrets-to", secrets.path)
    for row in rows(stripe).values():
        name = row.metadata["django_stripe_connect"]
        (secret,) = secrets()[name]
        assert row.metadata["django_stripe_connect_secret_sha256"] == fingerprint(secret)
        assert not any(secret.encode() in asked.body for asked in stripe.asked)


def test_a_second_run_changes_nothing(stripe, run, secrets, installed):
    before = len(writes(stripe))
    done = run("--secrets-to", secrets.path)
    assert (done.status, len(writes(stripe))) == (0, before)
    assert done.lines == [
        f"platform: {installed['platform'].id} is as the code wants it",
        f"connect: {installed['connect'].id} is as the code wants it",
    ]


def test_without_a_file_for_their_secrets_none_is_made(stripe, run):
    done = run()
    assert done.status == 2
    assert "--secrets-to" in done.err
    assert "platform and connect" in done.err
    assert not writes(stripe)


@pytest.mark.parametrize("endpoint", ["platform", "connect"])
def test_one_can_be_chosen(stripe, run, secrets, endpoint):
    run("--endpoint", endpoint, "--secrets-to", secrets.path)
    assert [made.url for made in stripe.endpoints] == [f"{BASE}/stripe/webhooks/{endpoint}/"]
    assert list(secrets()) == [endpoint]


def test_a_dry_run_says_what_would_be_made(stripe, run, secrets):
    done = run("--dry-run", "--secrets-to", secrets.path)
    assert done.status == 0
    assert done.lines[0].startswith(f"platform: would create an endpoint at {PLATFORM} for ")
    assert sdk.api_version in done.lines[1]
    assert not writes(stripe)
    assert not secrets.path.exists()


def test_the_address_may_be_a_setting(stripe, run, secrets, settings):
    settings.CONNECT_BASE_URL = "https://Shop.example:443/app/"
    run("--secrets-to", secrets.path, base=None)
    assert {made.url for made in stripe.endpoints} == {
        "https://shop.example/app/stripe/webhooks/platform/",
        "https://shop.example/app/stripe/webhooks/connect/",
    }


def test_the_api_version_is_that_of_the_settings(stripe, run, secrets, settings):
    settings.STRIPE_API_VERSION = OLD_VERSION
    run("--secrets-to", secrets.path)
    assert {made.api_version for made in stripe.endpoints} == {OLD_VERSION}


@pytest.mark.django_db(transaction=True)
def test_what_it_delivers_is_accepted_with_the_secret_that_was_written(
    stripe, run, secrets, live_server
):
    assert run("--secrets-to", secrets.path, base=live_server.url).status == 0
    secrets.configure()
    client = stripe.client()
    account = client.v1.accounts.create({"type": "express", "country": "US"}).id
    stripe.onboard(account)
    client.v1.customers.create({"email": "platform@example.com"})
    client.v1.customers.create({"email": "a@example.com"}, {"stripe_account": account})
    assert stripe.wait_until_delivered()
    assert stripe.deliveries
    assert {delivery.status for delivery in stripe.deliveries} == {200}
    created = InboxEvent.objects.filter(type="customer.created")
    assert set(created.values_list("connect_account_id", "endpoint")) == {
        ("", "platform"),
        (account, "connect"),
    }
