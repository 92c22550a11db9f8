"""What cannot be done is said before anything is."""

import os
import subprocess
import sys

import pytest

from connect.endpoints import ENDPOINTS_MAX
from django_stripe.registry import models_by_object
from tests.connect.endpoints.at_stripe import BASE, hear, writes


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
