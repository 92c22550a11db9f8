"""The pytest plugin's fixtures, as a project that uses this module has them."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

import connect
from connect.models import InboxEvent
from connect.testing import StandIn
from connect.testing.django_endpoints import Deliver, Webhook

# By name, because this project's own fixtures of these names would win over the plugin's.
from connect.testing.plugin import (  # noqa: F401
    deliver,
    merchants,
    stripe,
    stripe_server,
    webhook,
)

# Where this package is installed without its entry points, the plugin has to be named.
REGISTERED = entry_points(group="pytest11", name="connect_testing")
LOADED = [] if REGISTERED else ["-p", "connect.testing.plugin"]


def test_it_imports_nothing_heavy() -> None:
    program = (
        "import sys, connect.testing.plugin;"
        "print({'django', 'stripe', 'connect.testing.server'} & sys.modules.keys())"
    )
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "set()"


def test_it_works_where_there_is_no_django(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import sys\n"
        "def test_mine(stripe, merchants):\n"
        "    first, second = merchants\n"
        "    assert stripe.client(stripe_account=first).v1.balance.retrieve().object == 'balance'\n"
        "    assert 'django' not in sys.modules\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:django", "-p", "no:randomly"]
    command += [*LOADED, "-p", "no:cacheprovider", str(tmp_path)]
    environment = {"PYTHONPATH": str(Path(connect.__file__).parents[1]), "PATH": ""}
    said = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "1 passed" in said.stdout, said.stdout + said.stderr


@pytest.mark.parametrize("time", ["first", "second"])
def test_every_test_begins_with_an_empty_stand_in(stripe: StandIn, time: str) -> None:  # noqa: F811
    assert stripe.state() == {}
    assert (stripe.faults, stripe.switches.paused, stripe.clock.frozen) == ([], False, False)
    stripe.client().v1.customers.create({"name": time})
    stripe.fault("unavailable")
    stripe.switch(paused=True)
    stripe.clock.freeze(1_700_000_000)


def test_the_settings_point_there(stripe: StandIn, merchants: list[str]) -> None:  # noqa: F811
    assert stripe.url == settings.STRIPE_API_BASE
    customer = connect.client(account=merchants[0]).v1.customers.create({"name": "Ann"})
    assert list(stripe.state(merchants[0])["customer"]) == [customer.id]


def test_merchants_are_ready_to_be_paid(stripe: StandIn, merchants: Any) -> None:  # noqa: F811
    third = merchants.another(country="GB", email="third@example.com")
    assert len(set(merchants)) == 3
    for account in merchants:
        assert stripe.state(account)["account"][account]["charges_enabled"]
    assert stripe.state(third)["account"][third]["default_currency"] == "gbp"


@pytest.mark.django_db
def test_deliver_takes_what_happened_to_the_endpoints(
    stripe: StandIn,  # noqa: F811
    merchants: list[str],  # noqa: F811
    deliver: Deliver,  # noqa: F811
) -> None:
    deliver()
    stripe.client(stripe_account=merchants[0]).v1.customers.create({"name": "Ann"})
    stripe.client().v1.products.create({"name": "Mug"})
    delivered = deliver()
    assert {event["type"] for event in delivered} == {"customer.created", "product.created"}
    rows = InboxEvent.objects.filter(event_id__in=[event["id"] for event in delivered])
    assert {(row.endpoint, row.connect_account_id) for row in rows} == {
        ("connect", merchants[0]),
        ("platform", ""),
    }
    assert deliver() == []


@pytest.mark.django_db
def test_deliver_takes_some_again_or_backwards(
    stripe: StandIn,  # noqa: F811
    merchants: list[str],  # noqa: F811
    deliver: Deliver,  # noqa: F811
) -> None:
    first, second = merchants
    for account in merchants:
        client = stripe.client(stripe_account=account)
        customer = client.v1.customers.create({"name": "Ann"})
        client.v1.customers.update(customer.id, {"name": "Anna"})
    assert [e["type"] for e in deliver("customer.*", account=first, times=2, backwards=True)] == [
        "customer.created",
        "customer.updated",
    ]
    assert {event["account"] for event in deliver("customer.*")} == {second}


@pytest.mark.django_db
def test_deliver_says_what_the_endpoint_refused(stripe: StandIn, deliver: Deliver) -> None:  # noqa: F811
    stripe.client().v1.customers.create()
    deliver.path = "/stripe/webhooks/{endpoint}s/"
    with pytest.raises(AssertionError, match=r"answered 404 to customer\.created"):
        deliver()


@pytest.mark.django_db
def test_webhook_posts_an_event_of_your_own(webhook: Webhook, merchants: list[str]) -> None:  # noqa: F811
    customer = {"id": "cus_1", "object": "customer", "created": 1}
    response = webhook("customer.created", customer, account=merchants[0], id="evt_mine")
    assert response.status_code == 200
    assert InboxEvent.objects.get(event_id="evt_mine").connect_account_id == merchants[0]
    assert webhook("customer.created", customer, id="evt_platforms").status_code == 200


@pytest.mark.django_db
def test_a_wrong_signature_is_refused(webhook: Webhook) -> None:  # noqa: F811
    assert webhook.post(b"{}", None, "t=1,v1=00").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_a_live_server_gets_events_as_they_happen(
    stripe: StandIn,  # noqa: F811
    merchants: list[str],  # noqa: F811
    deliver: Deliver,  # noqa: F811
    live_server: Any,
) -> None:
    deliver.to(live_server.url)
    stripe.switch(duplicate=1)
    customer = stripe.client(stripe_account=merchants[1]).v1.customers.create({"name": "Ann"})
    assert stripe.flush()
    assert {line.outcome for line in stripe.deliveries} == {"delivered"}
    assert len(stripe.deliveries) == 2
    row = InboxEvent.objects.get(connect_account_id=merchants[1], type="customer.created")
    assert row.endpoint == "connect"
    assert customer.id
