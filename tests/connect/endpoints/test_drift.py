"""Drift, of the API version too: what is found, and what is mended."""

import stripe as sdk

from tests.connect.endpoints.at_stripe import (
    BASE,
    CONNECT,
    OLD_VERSION,
    PLATFORM,
    at,
    hear,
    rows,
    writes,
)

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
