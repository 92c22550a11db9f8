"""Endpoints as code: what is made, what is changed, what is left alone, and that nobody reads a secret."""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest
import stripe as sdk
from django.core.management import CommandError, call_command

import connect
from connect import signals
from connect.endpoints import ENDPOINTS_MAX
from connect.event_types import objects_of, snapshot_types, thin_types
from connect.models import InboxEvent
from connect.secrets_file import fingerprint
from connect.testing import StandIn
from connect.wanted_events import snapshot_events, thin_events, unknown_patterns
from django_stripe.registry import models_by_object

BASE = "https://shop.example"
PLATFORM = f"{BASE}/stripe/webhooks/platform/"
CONNECT = f"{BASE}/stripe/webhooks/connect/"
THIN = f"{BASE}/stripe/webhooks/thin/"
OLD_VERSION = "2025-03-31.basil"
DEFAULT = object()


@pytest.fixture
def stripe(settings, routes):
    """A stand-in whose account has no endpoints yet, and a project without handlers."""
    with StandIn(seed=1) as running:
        settings.STRIPE_API_BASE = running.url
        settings.STRIPE_API_KEY = running.api_key
        settings.STRIPE_WEBHOOK_SECRETS = {}
        yield running


@dataclass
class Done:
    """What a run said, and the status a shell would see."""

    out: str
    err: str
    status: int

    @property
    def lines(self):
        return self.out.splitlines()


@pytest.fixture
def run(stripe):
    """Run the command. Whatever it is asked, it shows no secret."""

    def run(*arguments, base=BASE):
        out, err, status = io.StringIO(), io.StringIO(), 0
        where = ["--base-url", base] if base else []
        try:
            call_command("connect_endpoints", *where, *map(str, arguments), stdout=out, stderr=err)
        except CommandError as error:
            status = error.returncode
            err.write(str(error))
        done = Done(out.getvalue(), err.getvalue(), status)
        for secret in (s for endpoint in stripe.endpoints for s in endpoint.secrets):
            assert secret not in done.out + done.err
        assert "whsec_0" not in done.out + done.err
        return done

    return run


@pytest.fixture
def secrets(tmp_path, settings):
    """A file for secrets, and how they get from there into the settings."""

    class Secrets:
        path = tmp_path / "secrets.json"

        def __call__(self):
            return json.loads(self.path.read_text())

        def configure(self):
            settings.STRIPE_WEBHOOK_SECRETS = self()

    return Secrets()


@pytest.fixture
def installed(stripe, run, secrets):
    """Both endpoints are made and their secrets configured."""
    done = run("--secrets-to", secrets.path)
    assert done.status == 0, done.err
    secrets.configure()
    return {
        name: at(stripe, url)[0] for name, url in (("platform", PLATFORM), ("connect", CONNECT))
    }


def at(stripe, url):
    """The endpoints at this address, as the stand-in delivers to them, oldest first."""
    return [endpoint for endpoint in stripe.endpoints if endpoint.url == url]


def rows(stripe):
    return {row.id: row for row in stripe.client().v1.webhook_endpoints.list()}


def writes(stripe):
    return [asked for asked in stripe.asked if asked.method != "GET"]


def hear(pattern):
    def handler(event): ...

    handler.__qualname__ = pattern
    connect.on(pattern)(handler)


# What is made


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


# Drift


def test_without_drift_check_exits_with_0(stripe, run, installed):
    before = len(writes(stripe))
    done = run("--check")
    assert (done.status, done.err) == (0, "")
    assert done.lines == ["As the code wants it: platform, connect."]
    assert len(writes(stripe)) == before


def test_check_reports_what_is_not_there(stripe, run):
    done = run("--check")
    assert done.status == 1
    assert done.lines == [
        f"platform: there is no endpoint at {PLATFORM}",
        f"connect: there is no endpoint at {CONNECT}",
    ]
    assert not writes(stripe)


def drifted(stripe, run, endpoint, **changes):
    """Change the endpoint at Stripe; return what is said of it, after a run has put it right again."""
    stripe.client().v1.webhook_endpoints.update(endpoint.id, changes)
    before = len(writes(stripe))
    said = run("--check")
    assert said.status == 1
    assert len(writes(stripe)) == before
    dry = run("--dry-run")
    assert len(writes(stripe)) == before
    updated = run()
    assert updated.status == dry.status == 0
    assert [line.replace("would update", "updated") for line in dry.lines] == updated.lines
    assert run("--check").status == 0
    return said.lines


def test_a_missing_event_is_drift(stripe, run, installed):
    events = [e for e in installed["connect"].enabled_events if e != "charge.captured"]
    assert drifted(stripe, run, installed["connect"], enabled_events=events) == [
        f"connect: {installed['connect'].id} is without charge.captured"
    ]
    assert "charge.captured" in at(stripe, CONNECT)[0].enabled_events


def test_a_superfluous_event_is_drift(stripe, run, installed):
    events = [*installed["platform"].enabled_events, "topup.created", "review.opened"]
    said = "is sent review.opened, topup.created, which nothing here wants"
    assert drifted(stripe, run, installed["platform"], enabled_events=events) == [
        f"platform: {installed['platform'].id} {said}"
    ]
    assert "topup.created" not in at(stripe, PLATFORM)[0].enabled_events


def test_a_disabled_endpoint_is_drift(stripe, run, installed):
    assert drifted(stripe, run, installed["platform"], disabled=True) == [
        f"platform: {installed['platform'].id} is disabled"
    ]
    assert at(stripe, PLATFORM)[0].enabled


def test_a_secret_that_is_not_configured_is_drift(run, installed, settings):
    settings.STRIPE_WEBHOOK_SECRETS = settings.STRIPE_WEBHOOK_SECRETS | {"connect": []}
    done = run("--check")
    assert done.status == 1
    said = "signs with a secret that is not in STRIPE_WEBHOOK_SECRETS: its events are refused"
    assert done.lines == [f"connect: {installed['connect'].id} {said}"]


def test_a_handler_that_came_is_drift(stripe, run, installed):
    hear("topup.*")
    assert (
        run("--check")
        .lines[0]
        .endswith(
            "is without topup.canceled, topup.created, topup.failed, topup.reversed, topup.succeeded"
        )
    )
    run()
    assert "topup.failed" in at(stripe, CONNECT)[0].enabled_events


def test_an_endpoint_made_by_hand_at_our_address_is_updated(stripe, run, secrets):
    for url, connected in ((PLATFORM, False), (CONNECT, True)):
        stripe.client().v1.webhook_endpoints.create(
            {
                "url": url,
                "connect": connected,
                "enabled_events": ["charge.succeeded"],
                "api_version": sdk.api_version,
            }
        )
    assert run().status == 0
    assert len(stripe.endpoints) == 2
    assert run("--check").status == 0
    assert {row.metadata["django_stripe_connect"] for row in rows(stripe).values()} == {
        "platform",
        "connect",
    }


def test_what_is_at_other_addresses_is_left_alone(stripe, run, secrets, installed):
    others = "https://staging.example"
    assert run("--secrets-to", secrets.path, base=others).status == 0
    stripe.webhook_endpoint("https://other.example/hook/")
    before = rows(stripe)
    hear("topup.created")
    run()
    run("--rotate", "platform", "--secrets-to", secrets.path)
    secrets.configure()
    assert run("--retire").status == 0
    after = rows(stripe)
    foreign = [id_ for id_, row in before.items() if not row.url.startswith(BASE)]
    assert len(foreign) == 3
    for id_ in foreign:
        assert after[id_].to_dict() == before[id_].to_dict()


def test_a_move_keeps_endpoints_and_secrets(stripe, run, secrets, installed):
    new = "https://new.example"
    said = run("--check", base=new)
    assert said.status == 1
    assert said.lines[1] == (
        f"platform: {installed['platform'].id} at {PLATFORM} was made by this command: if the project "
        "moved from there, say so, --moved-from"
    )
    said = run("--check", "--moved-from", BASE, base=new)
    assert said.lines[0] == (
        f"platform: {installed['platform'].id} is at {PLATFORM}, not at {new}/stripe/webhooks/platform/"
    )
    run("--moved-from", BASE, base=new)
    assert {made.id: made.secrets for made in stripe.endpoints} == {
        made.id: made.secrets for made in installed.values()
    }
    assert run("--check", base=new).status == 0


# The API version


def test_another_api_version_is_another_endpoint_beside_the_old_one(
    stripe, run, secrets, settings, installed
):
    settings.STRIPE_API_VERSION = OLD_VERSION
    old = installed["platform"]
    assert run("--check", "--endpoint", "platform").lines == [
        f"platform: there is no endpoint at {PLATFORM} with API version {OLD_VERSION}",
        f"platform: {old.id} is of API version {sdk.api_version}, not {OLD_VERSION}",
    ]
    assert run().status == 2  # a new one has a secret
    done = run("--secrets-to", secrets.path)
    assert f"platform: {old.id} stays beside it, for --retire when the new secret is in use" in (
        done.lines
    )
    kept, new = at(stripe, PLATFORM)
    assert (kept, new.api_version) == (old, OLD_VERSION)
    assert secrets()["platform"] == [*old.secrets, *new.secrets]
    again = run()
    assert len(at(stripe, PLATFORM)) == 2
    assert again.lines[1] == (
        f"platform: {old.id} is of API version {sdk.api_version}, not {OLD_VERSION}: "
        "it waits for --retire"
    )
    secrets.configure()
    assert run("--check").status == 1
    assert run("--retire", "--secrets-to", secrets.path).status == 0
    assert (at(stripe, PLATFORM), secrets()["platform"]) == ([new], new.secrets)
    assert run("--check").status == 0


def test_an_endpoint_of_the_accounts_api_version_is_replaced(stripe, run, secrets):
    stripe.webhook_endpoint(PLATFORM)
    assert (
        run("--check", "--endpoint", "platform")
        .lines[1]
        .endswith(f"is of API version the account's default, not {sdk.api_version}")
    )
    run("--secrets-to", secrets.path)
    assert len(at(stripe, PLATFORM)) == 2


# Rotation


def test_a_secret_is_rotated_with_an_overlap(stripe, run, secrets, installed):
    old = installed["connect"]
    done = run("--rotate", "connect", "--secrets-to", secrets.path)
    assert done.status == 0
    assert done.lines[1] == (
        f"connect: {old.id} stays beside it, for --retire when the new secret is in use"
    )
    kept, new = at(stripe, CONNECT)
    assert kept == old
    assert (new.connect, new.api_version) == (True, old.api_version)
    assert set(new.enabled_events) == set(old.enabled_events)
    assert secrets()["connect"] == [*old.secrets, *new.secrets]
    assert secrets()["platform"] == installed["platform"].secrets

    too_early = run("--retire", "--secrets-to", secrets.path)
    assert too_early.status == 2
    assert f"the secret of {new.id} is not in STRIPE_WEBHOOK_SECRETS here" in too_early.err
    assert at(stripe, CONNECT) == [old, new]

    secrets.configure()
    assert run("--check").lines == [f"connect: {old.id} is one of several at this address"]
    before = len(writes(stripe))
    assert run("--retire", "--dry-run", "--secrets-to", secrets.path).lines == [
        f"connect: would delete {old.id}"
    ]
    assert len(writes(stripe)) == before
    assert run("--retire", "--secrets-to", secrets.path).lines == [
        f"connect: deleted {old.id}; configure its secret no longer"
    ]
    assert at(stripe, CONNECT) == [new]
    assert secrets()["connect"] == new.secrets
    secrets.configure()
    assert run("--check").status == 0
    assert run("--retire").lines == ["There is nothing to retire."]


@pytest.mark.django_db(transaction=True)
def test_while_it_is_rotated_an_event_comes_twice_and_is_kept_once(
    stripe, run, secrets, live_server
):
    run("--secrets-to", secrets.path, base=live_server.url)
    run("--rotate", "platform", "--secrets-to", secrets.path, base=live_server.url)
    secrets.configure()
    stripe.client().v1.customers.create({"email": "a@example.com"})
    assert stripe.wait_until_delivered()
    assert [delivery.status for delivery in stripe.deliveries] == [200, 200]
    assert InboxEvent.objects.count() == 1


def test_one_rotation_ends_before_the_next_begins(stripe, run, secrets, installed):
    run("--rotate", "connect", "--secrets-to", secrets.path)
    done = run("--rotate", "connect", "--secrets-to", secrets.path)
    assert done.status == 2
    assert "--retire" in done.err
    assert len(at(stripe, CONNECT)) == 2


def test_nothing_is_retired_before_its_successor_is_there(
    stripe, run, secrets, settings, installed
):
    settings.STRIPE_API_VERSION = OLD_VERSION
    done = run("--retire")
    assert done.status == 2
    assert "without --retire" in done.err
    run("--secrets-to", secrets.path)
    secrets.configure()
    new = at(stripe, CONNECT)[1]
    stripe.client().v1.webhook_endpoints.update(new.id, {"disabled": True})
    assert run("--retire").status == 2
    assert len(stripe.endpoints) == 4


def test_a_secret_made_by_hand_is_left_to_hand(stripe, run, secrets):
    """The file cannot tell which of its secrets it is."""
    by_hand = stripe.webhook_endpoint(PLATFORM)
    secrets.path.write_text(json.dumps({"platform": [by_hand["secret"]]}))
    run("--secrets-to", secrets.path)
    secrets.configure()
    before = secrets()
    done = run("--retire", "--secrets-to", secrets.path)
    assert done.lines == [f"platform: deleted {by_hand['id']}; configure its secret no longer"]
    assert secrets() == before


def test_nothing_is_retired_for_an_endpoint_whose_secret_is_unknown(stripe, run, installed):
    by_hand = stripe.client().v1.webhook_endpoints.create(
        {
            "url": CONNECT,
            "connect": True,
            "enabled_events": installed["connect"].enabled_events,
            "api_version": sdk.api_version,
        }
    )
    done = run("--retire")
    assert done.status == 2
    assert by_hand.id in done.err
    assert len(at(stripe, CONNECT)) == 2


# Secrets


def test_what_else_is_in_the_file_stays(stripe, run, secrets):
    secrets.path.write_text(json.dumps({"platform": ["whsec_live"], "thin": ["whsec_thin"]}))
    secrets.path.chmod(0o644)
    run("--secrets-to", secrets.path)
    assert secrets()["platform"] == ["whsec_live", *at(stripe, PLATFORM)[0].secrets]
    assert secrets()["thin"] == ["whsec_thin"]
    assert secrets.path.stat().st_mode & 0o777 == 0o600


def nowhere(path):
    return path.parent / "missing" / "file"


def not_json(path):
    path.write_text("whsec_0thers")
    return path


def not_lists(path):
    path.write_text('{"platform": "whsec_0thers"}')
    return path


def not_text(path):
    path.write_bytes(b"whsec_0thers\xff")
    return path


def a_pipe(path):
    os.mkfifo(path)
    return path


def output(path):
    return "/dev/stdout"


@pytest.mark.parametrize("file", [nowhere, not_json, not_lists, not_text, a_pipe, output])
def test_a_file_that_cannot_hold_secrets_is_refused_before_there_is_one(stripe, run, secrets, file):
    done = run("--secrets-to", file(secrets.path))
    assert done.status == 2
    assert not writes(stripe)


def test_an_endpoint_whose_secret_could_not_be_kept_is_deleted(stripe, run, secrets, monkeypatch):
    """The disk is full between the trial and the secret, of which nobody can be told again."""
    real, calls = os.fsync, []

    def fsync(descriptor):
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    done = run("--secrets-to", secrets.path)
    assert done.status == 2
    assert "No space left on device" in done.err
    assert not stripe.endpoints
    assert [path.name for path in secrets.path.parent.iterdir()] == [secrets.path.name]


# Thin events


def test_thin_handlers_have_a_destination_of_both_scopes(stripe, run, secrets):
    hear("v2.core.account.*")
    hear("v1.charge.refunded")
    assert run("--secrets-to", secrets.path).status == 0
    (made,) = at(stripe, THIN)
    assert (made.thin, made.own, made.connect) == (True, True, True)
    assert set(made.enabled_events) == {
        "v1.charge.refunded",
        "v2.core.account.closed",
        "v2.core.account.created",
        "v2.core.account.updated",
    }
    assert secrets()["thin"] == made.secrets
    assert not [e for e in at(stripe, PLATFORM)[0].enabled_events if e.startswith("v")]
    secrets.configure()
    assert run("--check").lines == ["As the code wants it: platform, connect, thin."]


def test_a_thin_destination_is_kept_as_the_code_wants_it(stripe, run, secrets):
    hear("v2.core.account.created")
    run("--secrets-to", secrets.path)
    secrets.configure()
    hear("v2.core.account.closed")
    service = stripe.client().v2.core.event_destinations
    id_ = at(stripe, THIN)[0].id
    service.update(id_, {"enabled_events": ["v1.charge.refunded"]})
    service.disable(id_)
    assert run("--check", "--endpoint", "thin").lines == [
        f"thin: {id_} is without v2.core.account.closed, v2.core.account.created",
        f"thin: {id_} is sent v1.charge.refunded, which nothing here wants",
        f"thin: {id_} is disabled",
    ]
    assert run().status == 0
    assert at(stripe, THIN)[0].enabled
    assert run("--check").status == 0
    hear("v1.charge.refunded")
    assert run().lines[2] == f"thin: updated {id_}, which was without v1.charge.refunded"
    assert run("--check").status == 0


def test_a_thin_destination_of_other_scopes_is_replaced(stripe, run, secrets):
    hear("v2.core.account.created")
    narrow = stripe.event_destination(
        THIN, events_from=["@self"], events=["v2.core.account.created"]
    )
    assert run("--check", "--endpoint", "thin").lines == [
        f"thin: there is no endpoint at {THIN}",
        f"thin: {narrow['id']} hears of @self, not of @accounts, @self",
    ]
    run("--secrets-to", secrets.path)
    secrets.configure()
    assert run("--retire").status == 0
    assert [made.own and made.connect for made in at(stripe, THIN)] == [True]


def test_a_destination_that_sends_snapshots_to_the_thin_address_is_drift(stripe, run):
    hear("v2.core.account.created")
    wrong = stripe.event_destination(THIN, thin=False, events=["charge.refunded"])
    assert run("--check", "--endpoint", "thin").lines[1] == (
        f"thin: {wrong['id']} is of API version {sdk.api_version}, not none, as thin events are"
    )


def test_a_thin_secret_is_rotated_the_same_way(stripe, run, secrets):
    hear("v2.core.account.created")
    run("--secrets-to", secrets.path)
    (old,) = at(stripe, THIN)
    run("--rotate", "thin", "--secrets-to", secrets.path)
    secrets.configure()
    run("--retire", "--secrets-to", secrets.path)
    (new,) = at(stripe, THIN)
    assert new.id != old.id
    assert secrets()["thin"] == new.secrets


def test_a_thin_endpoint_needs_a_handler(stripe, run, secrets):
    done = run("--endpoint", "thin", "--secrets-to", secrets.path)
    assert done.status == 2
    assert "there is nothing to hear of" in done.err


# What cannot be


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://shop.example", "https only"),
        ("https://localhost:8000", "cannot be reached"),
        ("https://shop.localhost", "cannot be reached"),
        ("https://intranet", "cannot be reached"),
        ("https://127.0.0.1", "cannot be reached"),
        ("https://10.1.2.3", "cannot be reached"),
        ("https://[::1]", "cannot be reached"),
    ],
)
def test_in_live_mode_the_address_is_https_and_public(stripe, run, settings, url, why):
    settings.STRIPE_API_KEY = {"live": "sk_live_1", "test": stripe.api_key}
    done = run("--live", "--check", base=url)
    assert done.status == 2
    assert why in done.err
    assert not stripe.asked
    assert run("--test", "--check", base=url).status == 1


def test_a_public_address_is_good_enough_for_live_mode(stripe, run, settings):
    settings.STRIPE_API_KEY = {"live": "sk_live_1", "test": stripe.api_key}
    for url in (BASE, "https://[2606:4700::1111]:8443", "https://1.1.1.1"):
        # The stand-in refuses live keys: so it was asked with one.
        assert run("--live", "--check", base=url).err.startswith("Stripe refused: HTTP 401")


@pytest.mark.parametrize(
    "url",
    [
        "shop.example",
        "ftp://shop.example",
        "https://",
        "https://shop.example?a=b",
        "https://shop.example#top",
        "https://shop.example:x",
        "https://user:password@shop.example",
    ],
)
def test_what_is_no_address_is_refused(stripe, run, url):
    done = run("--check", base=url)
    assert done.status == 2
    assert "address" in done.err
    assert not stripe.asked


def test_without_an_address_it_asks_for_one(run):
    done = run("--check", base=None)
    assert (done.status, "CONNECT_BASE_URL" in done.err) == (2, True)


def test_without_the_urls_it_asks_for_them(run, settings):
    settings.ROOT_URLCONF = "django.contrib.auth.urls"
    done = run("--check")
    assert (done.status, "connect.urls" in done.err) == (2, True)


def test_with_two_keys_the_mode_is_to_be_said(stripe, run, settings):
    settings.STRIPE_API_KEY = {"live": "sk_live_1", "test": stripe.api_key}
    done = run("--check")
    assert (done.status, "--live or --test" in done.err) == (2, True)
    assert run("--test", "--check").status == 1


def test_a_mode_without_a_key_is_refused(run):
    done = run("--live", "--check")
    assert (done.status, "There is no live key" in done.err) == (2, True)


def test_with_16_endpoints_there_is_no_room(stripe, run, secrets):
    for number in range(ENDPOINTS_MAX - 1):
        stripe.webhook_endpoint(f"https://other.example/{number}/")
    done = run("--secrets-to", secrets.path)
    assert done.status == 2
    assert "Stripe allows 16 endpoints, and 15 are there" in done.err
    assert not writes(stripe)
    assert run("--endpoint", "platform", "--secrets-to", secrets.path).status == 0
    assert run("--rotate", "platform", "--secrets-to", secrets.path).status == 2


def test_a_refusal_of_stripes_says_what_and_which_request(stripe, run, secrets):
    stripe.fault("api_error", method="POST", path="/v1/webhook_endpoints", after=1)
    done = run("--secrets-to", secrets.path)
    assert done.status == 2
    assert done.err.startswith("Stripe refused: HTTP 500 ")
    assert "What is said above is done." in done.err
    assert done.lines[0].startswith("platform: created ")
    assert list(secrets()) == ["platform"]


def test_nothing_to_hear_of_is_an_error(run, settings):
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if not app.startswith("django_stripe.")
    ]
    models_by_object.cache_clear()
    try:
        done = run("--check")
    finally:
        models_by_object.cache_clear()
    assert (done.status, "there is nothing to hear of" in done.err) == (2, True)


def test_a_type_that_the_sdk_does_not_know_is_pointed_out(stripe, run, secrets):
    hear("payment.created")
    done = run("--secrets-to", secrets.path)
    assert "'payment.created', which a handler wants" in done.err
    assert done.status == 2  # the stand-in takes what the SDK knows
    assert "HTTP 400" in done.err


def test_a_shell_sees_the_statuses(stripe, tmp_path):
    (tmp_path / "project.py").write_text(
        "from tests.settings import *\n"
        f"STRIPE_API_BASE = {stripe.url!r}\nSTRIPE_API_KEY = {stripe.api_key!r}\n"
        "STRIPE_WEBHOOK_SECRETS = {'platform': ['']}\n"  # which the checks would not let pass
    )

    def shell(*arguments):
        command = [sys.executable, "-m", "django", "connect_endpoints", *arguments]
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "project",
            "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()]),  # noqa: PTH109
        }
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    assert shell("--check", "--base-url", BASE).returncode == 1
    created = shell("--base-url", BASE, "--secrets-to", str(tmp_path / "secrets.json"))
    assert created.returncode == 0, created.stderr
    assert "whsec_" not in created.stdout + created.stderr
    assert shell("--check").returncode == 2


# Which events


def test_events_are_those_of_what_is_installed():
    events = snapshot_events({"refund"}, [])
    assert events == {"charge.refund.updated", "refund.created", "refund.failed", "refund.updated"}
    assert snapshot_events({"dispute"}, []) == {t for t in snapshot_types() if ".dispute." in t}
    assert snapshot_events({"balance_transaction"}, []) == frozenset()
    assert not [t for t in snapshot_events({"charge"}, []) if t.count(".") > 1]


def test_an_account_is_told_of_when_its_connection_ends():
    assert snapshot_events({"account"}, []) == {
        "account.application.authorized",
        "account.application.deauthorized",
        "account.updated",
    }


@pytest.mark.parametrize(
    ("event_type", "objects"),
    [
        ("charge.dispute.created", ("dispute",)),
        ("charge.refund.updated", ("refund",)),
        ("charge.refunded", ("charge",)),
        ("application_fee.refund.updated", ("fee_refund",)),
        ("application_fee.refunded", ("application_fee",)),
        ("customer.subscription.trial_will_end", ("subscription",)),
        ("customer.tax_id.created", ("tax_id",)),
        ("checkout.session.completed", ("checkout.session",)),
        ("financial_connections.account.created", ("financial_connections.account",)),
        ("issuing_dispute.created", ("issuing.dispute",)),
        ("billing_portal.session.created", ("billing_portal.session",)),
        ("invoiceitem.created", ("invoiceitem",)),
        ("source.transaction.created", ("source_transaction",)),
        ("account.external_account.created", ("bank_account", "card")),
    ],
)
def test_what_a_type_is_about(event_type, objects):
    assert event_type in snapshot_types()
    assert objects_of(event_type) == objects


def test_recorded_events_are_about_what_their_type_says(shared):
    about = set()
    for path in (shared / "fixtures/events").rglob("*.json"):
        event = json.loads(path.read_text())
        if isinstance(event, dict) and event.get("object") == "event":
            # Some of these payloads were written by hand, and shortened.
            about.add((event["type"], event["data"]["object"].get("object")))
    about = {(t, noun) for t, noun in about if noun and t in snapshot_types()}
    assert len(about) > 20
    assert [(t, noun) for t, noun in sorted(about) if noun not in objects_of(t)] == []


def test_handlers_add_prefixes_and_types():
    assert snapshot_events([], ["topup.*", "payment.created", "v1.charge.*"]) == {
        "payment.created",
        *(t for t in snapshot_types() if t.startswith("topup.")),
    }


def test_a_handler_of_an_object_hears_of_it(stripe, run, secrets):
    @connect.on(object_type="invoice")
    def handler(event): ...

    run("--secrets-to", secrets.path)
    assert "invoice.paid" in at(stripe, CONNECT)[0].enabled_events


def test_a_signal_that_is_listened_to_is_delivered(stripe, run, secrets):
    def receiver(event, **kwargs): ...

    signals.get_signal("topup.failed").connect(receiver)
    try:
        run("--secrets-to", secrets.path)
    finally:
        signals.get_signal("topup.failed").disconnect(receiver)
    assert "topup.failed" in at(stripe, PLATFORM)[0].enabled_events


def test_everything_is_left_to_stripe(stripe, run, secrets):
    hear("*")
    run("--secrets-to", secrets.path)
    assert {tuple(made.enabled_events) for made in stripe.endpoints} == {("*",)}


def test_everything_and_a_type_are_listed_for_some_types_have_to_be_selected():
    everything = set(snapshot_types()) - {"issuing_authorization.request"}
    assert snapshot_events(["charge"], ["*", "topup.created"]) == everything
    assert snapshot_events(["charge"], ["*", "payment.created"]) == {*everything, "payment.created"}
    assert snapshot_events(["charge"], ["*", "v1.charge.refunded"]) == {"*"}


def test_the_request_that_decides_over_a_card_payment_is_asked_for_by_name_only():
    name = "issuing_authorization.request"
    assert name in snapshot_types()
    for patterns in (["issuing_authorization.*"], ["*", "topup.created"]):
        assert name not in snapshot_events(["issuing.authorization"], patterns)
    assert name in snapshot_events([], [name])


def test_thin_events_are_those_that_handlers_name():
    assert thin_events(["charge.*", "*"]) == frozenset()
    assert thin_events(["v2.core.account[identity].updated", "v2.new"]) == {
        "v2.core.account[identity].updated",
        "v2.new",
    }
    assert thin_events(["v1.payout.*"]) == {t for t in thin_types() if t.startswith("v1.payout.")}
    assert len(thin_events(["v1.payout.*"])) > 4


def test_patterns_that_fit_nothing_are_known():
    known = ["*", "charge.*", "payout.failed", "v1.*", "v2.core.account.created"]
    assert unknown_patterns([*known, "payment.*", "charge.refnded"]) == [
        "charge.refnded",
        "payment.*",
    ]
