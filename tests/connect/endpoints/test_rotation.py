"""Rotation, and where the secrets are."""

import json
import os

import pytest
import stripe as sdk

from connect.models import InboxEvent
from tests.connect.endpoints.at_stripe import CONNECT, OLD_VERSION, PLATFORM, at, writes

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
