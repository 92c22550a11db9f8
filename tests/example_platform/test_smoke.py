"""The story as `make smoke` and `make demo` tell it: in processes of their own, as a newcomer runs them."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from connect.testing import StandIn

REPOSITORY = Path(__file__).parents[2]
NOT_OF_THE_SHOP = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "STRIPE_API_KEY", "TENANTS_ISOLATION")
CHECKS = ("mismatches", "leaks", "miscounts", "unreceived", "unsettled", "refused")


def manage(*arguments, **environment):
    """Run the shop's command line, and return what it said and how it ended."""
    return subprocess.run(
        [sys.executable, "-W", "error", "manage.py", *arguments],
        cwd=REPOSITORY,
        env=shop_environment(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def shop_environment(more):
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OF_THE_SHOP}
    return kept | more


def databases_and_roles():
    names = "SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles"
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return {name for (name,) in connection.execute(names)}


@pytest.fixture
def database():
    """The address of an empty database, on the server of the tests."""
    url, name = os.environ["DATABASE_URL"], f"shop_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield make_conninfo(url, dbname=name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.execute(f'DROP ROLE IF EXISTS "{name}_site"')


@pytest.mark.parametrize("isolation", ["none", "rows", "schemas"])
def test_the_story_ends_in_a_mirror_that_equals_stripe(isolation):
    done = manage("smoke", TENANTS_ISOLATION=isolation)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert str(facts["isolation"]).lower() == isolation
    assert facts["merchants"] == 3
    assert facts["events_delivered"] == 3 * facts["events_unique"] > 600
    assert facts["rows"] > 200
    assert facts["ties"] == facts["ties_decided"] + facts["asked"] > 0
    assert {name: facts[name] for name in CHECKS} == dict.fromkeys(CHECKS, 0)


def test_a_mirror_that_was_tampered_with_is_found_out_and_leaves_nothing_behind():
    # One after the other: what the one has made while it runs is not what the other leaves.
    for isolation in ("none", "rows"):
        before = databases_and_roles()
        place = {"DATABASE_URL": os.environ["DATABASE_URL"], "TENANTS_ISOLATION": isolation}
        done = manage("smoke", "--tamper", **place)
        assert done.returncode == 1, done.stdout + done.stderr
        facts = json.loads(done.stdout.splitlines()[-1])
        assert facts["mismatches"] > 0 < facts["leaks"]
        said = re.search(r"^Tampered with (\w+), (\w+)\.$", done.stdout, re.M)
        changed, given_away = said.groups()
        assert re.search(rf"^mismatches: charge {changed} .* differs in amount$", done.stdout, re.M)
        assert re.search(rf"^leaks: .*for_account\(.*customer {given_away}", done.stdout, re.M)
        left = databases_and_roles() - before
        assert {name for name in left if name.startswith("smoke_")} == set(), isolation


def test_where_merchants_have_schemas_a_row_that_was_changed_is_found_out():
    done = manage("smoke", "--tamper", TENANTS_ISOLATION="schemas")
    assert done.returncode == 1, done.stdout + done.stderr
    (changed,) = re.search(r"^Tampered with (\w+)\.$", done.stdout, re.M).groups()
    assert re.search(rf"^mismatches: charge {changed} .* differs in amount$", done.stdout, re.M)


def test_a_server_on_which_it_cannot_make_a_database_is_told_in_two_lines():
    done = manage("smoke", DATABASE_URL="postgresql://127.0.0.1:9/shop")
    assert done.returncode == 1
    assert done.stderr.startswith("DATABASE_URL: connection failed")
    assert "needs CREATEDB" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def demo(database, **environment):
    """A demo that runs, and what it said until then."""
    environment = shop_environment({"DATABASE_URL": database, "PORT": "8700"} | environment)
    command = [sys.executable, "-W", "error", "manage.py", "demo"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=pipe, text=True, start_new_session=True
    ) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if line.startswith("Ctrl-C"):
                    break
            yield "".join(said)
            # As a terminal does it: everything that the demo started is told too.
            os.killpg(process.pid, signal.SIGINT)
            assert process.wait(20) == 0
        finally:
            process.kill()


class Browser:
    """Somebody who looks at a shop, logs in, and presses buttons."""

    def __init__(self, said):
        self.base = re.search(r"^Shop +(http://127\.0\.0\.1:\d+)/", said, re.M)[1]
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        self.opener = urllib.request.build_opener(cookies)

    def open(self, path, **form):
        body = urllib.parse.urlencode(form).encode() if form else None
        with self.opener.open(self.base + path, body, timeout=20) as response:
            return response.read().decode()

    def hidden(self, page, name):
        return re.findall(rf'name="{name}" value="(\w+)"', page)


@pytest.mark.parametrize("isolation", ["none", "rows", "schemas"])
def test_the_demo_sells_and_goes_on_with_its_merchants_after_a_restart(database, isolation):
    with demo(database, TENANTS_ISOLATION=isolation) as said:
        assert "The database is empty." in said
        browser = Browser(said)
        merchants = browser.hidden(browser.open("/"), "account")
        assert len(merchants) == 3
        login = browser.open("/admin/login/")
        password = re.search(r"password (\S+)", said)[1]
        (token,) = browser.hidden(login, "csrfmiddlewaretoken")
        inside = browser.open(
            "/admin/login/?next=/admin/",
            csrfmiddlewaretoken=token,
            username="demo",
            password=password,
        )
        assert "Site administration" in inside
        assert re.search(r">ch_\w+</a>", browser.open("/admin/stripe_charge/charge/"))
    with demo(database, TENANTS_ISOLATION=isolation) as said:
        assert "3 merchants are here from an earlier run." in said
        browser = Browser(said)
        page = browser.open("/")
        assert browser.hidden(page, "account") == merchants
        page = browser.open(
            "/sales/",
            csrfmiddlewaretoken=browser.hidden(page, "csrfmiddlewaretoken")[0],
            idempotency_key=browser.hidden(page, "idempotency_key")[0],
            account=merchants[1],
            way="direct",
        )
        looks = 0
        while "came back through a signed webhook" not in page:
            page = browser.open(unescaped(re.search(r"; url=([^\"]+)", page)[1]))
            looks += 1
            assert looks < 8, "its webhook never came"


def test_with_a_key_the_demo_shows_who_is_connected_and_says_how_webhooks_get_there(database):
    with StandIn() as stripe, socket.create_server(("127.0.0.1", 0)) as taken:
        stripe.client().v1.accounts.create({"business_profile": {"name": "Their Merchant"}})
        port = taken.getsockname()[1]
        place = {"STRIPE_API_KEY": "sk_test_theirs", "STRIPE_API_BASE": stripe.url}
        with demo(database, **place, PORT=str(port)) as said:
            assert f"Port {port} is taken" in said
            assert "test mode, 1 connected account" in said
            browser = Browser(said)
            assert f"stripe listen --forward-to {browser.base}/stripe/webhooks/platform/" in said
            assert "Their Merchant" in browser.open("/")


def test_with_secrets_the_demo_has_nothing_to_say_about_webhooks(database):
    with StandIn() as stripe:
        secret = f"whsec_{secrets.token_hex(32)}"
        place = {"STRIPE_API_KEY": "sk_test_theirs", "STRIPE_API_BASE": stripe.url}
        place |= {f"STRIPE_WEBHOOK_SECRET_{name}": secret for name in ("PLATFORM", "CONNECT")}
        with demo(database, **place) as said:
            assert "stripe listen" not in said


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"PORT": "eighty"}, "PORT is 'eighty'"),
        (
            {"STRIPE_API_KEY": "sk_test_x", "STRIPE_API_BASE": "http://127.0.0.1:9"},
            "Stripe does not take STRIPE_API_KEY: HTTP none APIConnectionError",
        ),
    ],
)
def test_what_keeps_the_demo_from_starting_is_told_in_a_line(database, environment, reason):
    done = manage("demo", DATABASE_URL=database, **environment)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def unescaped(address):
    return address.replace("&amp;", "&")


@pytest.mark.parametrize("command", ["smoke", "demo", "check"])
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("TENANTS_ISOLATION", "row", "say one of none, rows, schemas"),
        ("STRIPE_API_KEY", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "STRIPE_API_KEY is a live key"),
        ("STRIPE_API_KEY", "pk_test_1", "no secret key of Stripe's test mode"),
    ],
)
def test_what_the_shop_cannot_do_is_refused_before_anything_starts(command, name, value, reason):
    done = manage(command, **{name: value})
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "4eC39HqLyjWDarjtT1zdp7dc" not in done.stderr
