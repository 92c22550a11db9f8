"""The shop's page: merchants with what is theirs, from the mirror alone, and the button that makes a sale."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

import connect
from connect.testing import StandIn
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from example_platform.shop.models import Takings
from tests.conftest import NOW_UNIX

pytestmark = pytest.mark.usefixtures("shop")

BAKERY, CERAMICS = "acct_Bakery", "acct_Ceramics"
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def told(deliver):
    """Mirror what an event tells."""

    def told(model, value, account):
        event = deliver.event(f"{model.stripe_object}.updated", value, account=account)
        model().process_data(event)

    return told


@pytest.fixture
def merchant(told):
    def merchant(account, name=None, **fields):
        value = {"id": account, "object": "account", "created": NOW_UNIX}
        value |= {"business_profile": {"name": name or account}, "default_currency": "usd"}
        told(Account, value | fields, account)

    return merchant


@pytest.fixture
def charge(told):
    def charge(stripe_id, account, **fields):
        value = {"id": stripe_id, "object": "charge", "created": NOW_UNIX, "amount": 1000}
        value |= {"amount_refunded": 0, "currency": "usd", "status": "succeeded"}
        told(Charge, value | fields, account)

    return charge


def section(page, name):
    """The part of the page under a heading, as a reader sees it."""
    (found,) = [part for part in page.split("<section") if f">{name}</h2>" in part]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found)).split())


def page(path="/"):
    response = Client().get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_each_merchant_is_shown_its_charges_and_no_others(merchant, charge):
    for account, name in ((BAKERY, "Bakery"), (CERAMICS, "Ceramics")):
        merchant(account, name)
        charge(f"ch_of_{name}", account)
    shown = page()
    assert "ch_of_Bakery" in section(shown, "Bakery")
    assert "ch_of_Ceramics" not in section(shown, "Bakery")
    assert "ch_of_Bakery" not in section(shown, "The platform")


def test_a_charge_on_the_platform_is_shown_to_the_merchant_whom_it_names(merchant, charge):
    merchant(BAKERY, "Bakery")
    merchant(CERAMICS, "Ceramics")
    charge("ch_passed_on", None, transfer_data={"destination": BAKERY})
    charge("ch_kept", None)
    charge("py_arrived", BAKERY, source_transfer="tr_1")
    shown = page()
    assert re.search(r"ch_passed_on .* destination charge", section(shown, "Bakery"))
    assert re.search(r"py_arrived .* arrived by transfer", section(shown, "Bakery"))
    assert "ch_kept" not in section(shown, "Bakery")
    assert "ch_passed_on" not in section(shown, "Ceramics")
    assert re.search(r"ch_kept .* charge of the platform", section(shown, "The platform"))
    assert "ch_passed_on" in section(shown, "The platform")


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(1234, "usd", "12.34 USD"), (1500, "jpy", "1500 JPY"), (12340, "kwd", "12.340 KWD")],
)
def test_an_amount_has_the_decimals_of_its_currency(merchant, charge, amount, currency, text):
    merchant(BAKERY, "Bakery")
    charge("ch_1", BAKERY, amount=amount, amount_refunded=amount, currency=currency)
    assert f"ch_1 {text} {text} succeeded direct charge" in section(page(), "Bakery")


def test_the_page_costs_as_many_queries_for_many_merchants_as_for_one(merchant, charge):
    costs = []
    for number in range(4):
        merchant(f"acct_{number}")
        charge(f"ch_{number}", f"acct_{number}")
        with CaptureQueriesContext(connection) as queries:
            page()
        costs.append(len(queries))
    assert costs[0] == costs[-1] <= 5, queries.captured_queries


def test_only_the_latest_charges_of_a_merchant_are_shown_newest_first(merchant, charge):
    merchant(BAKERY, "Bakery")
    for number in range(12):
        charge(f"ch_{number:02}", BAKERY, created=NOW_UNIX + number)
    shown = re.findall(r"ch_\d\d", section(page(), "Bakery"))
    assert shown == [f"ch_{number:02}" for number in range(11, 1, -1)]


def test_many_merchants_are_shown_on_several_pages(merchant):
    for number in range(21):
        merchant(f"acct_{number:02}", created=NOW_UNIX + number)
    assert "Page 1 of 2" in page()
    assert "acct_20" not in page()
    assert "acct_20" in page("/?page=2")


def test_a_shop_without_merchants_says_what_it_waits_for():
    assert "No merchant is connected yet" in page()
    assert "No webhook has arrived yet" in page()


def test_what_a_merchant_calls_itself_is_text_not_markup(merchant):
    merchant(BAKERY, "<script>alert(1)</script>")
    assert "<script>" not in page()


def test_an_account_that_is_gone_is_not_listed(merchant):
    merchant(BAKERY, "Bakery")
    Account.objects.update(deleted_at="2026-01-01T00:00Z")
    assert "Bakery" not in page()


def test_a_sale_is_counted_once_however_often_its_event_is_delivered(
    deliver, django_capture_on_commit_callbacks
):
    sale = {"id": "ch_1", "object": "charge", "amount": 700, "currency": "usd"}
    event = deliver.event("charge.succeeded", sale, account=BAKERY)
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            assert deliver.post(event).status_code == 200
    takings = Takings.objects.get()
    assert str(takings) == f"{BAKERY} usd"
    assert (takings.sales, takings.amount_minor) == (1, 700)


def test_what_the_platform_passes_on_is_counted_where_it_arrives(
    deliver, django_capture_on_commit_callbacks, merchant
):
    merchant(BAKERY, "Bakery")
    sale = {"object": "charge", "created": NOW_UNIX, "amount": 700, "currency": "usd"}
    with django_capture_on_commit_callbacks(execute=True):
        event = deliver.event("charge.succeeded", sale | {"id": "ch_1"}, account=None)
        deliver.post(event, endpoint="platform")
        deliver("payment.created", sale | {"id": "py_1"}, account=BAKERY)
    assert "Took 7.00 USD in 1 sale, counted" in section(page(), "Bakery")
    assert "Took" not in section(page(), "The platform")
    assert re.search(
        r"charge.succeeded platform ch_1 processed", section(page(), "Latest webhooks")
    )


@pytest.fixture
def stripe(settings):
    with StandIn() as running:
        settings.STRIPE_API_KEY, settings.STRIPE_API_BASE = running.api_key, running.url
        yield running


@pytest.fixture
def seller(stripe):
    """A merchant that is connected to the stand-in, and mirrored."""
    capability = {"requested": True}
    account = connect.client(account=connect.PLATFORM).v1.accounts.create(
        {
            "type": "express",
            "country": "US",
            "business_profile": {"name": "Bakery"},
            "capabilities": {"card_payments": capability, "transfers": capability},
        }
    )
    stripe.onboard(account.id)
    Account(connect_account_id=account.id, stripe_id=account.id).retrieve_data_from_stripe()
    return account.id


def sell(account, way="direct", key=KEY):
    form = {"account": account, "way": way, "idempotency_key": key}
    return Client().post("/sales/", form, follow=True)


@pytest.mark.parametrize(
    ("way", "home"), [("direct", "merchant"), ("destination", ""), ("separate", "")]
)
def test_the_button_makes_a_sale_at_stripe_and_writes_nothing_here(stripe, seller, way, home):
    response = sell(seller, way)
    (payment,) = stripe.state(seller if home else "")["payment_intent"].values()
    assert payment["status"] == "succeeded"
    assert (
        f"The sale <code>{payment['id']}</code> is made at Stripe; its webhook is on its way"
        in (response.content.decode())
    )
    assert not Charge.objects.exists()
    arrived = stripe.state(seller)["charge"].values()
    assert [charge["amount"] for charge in arrived if charge["object"] == "charge"]


def test_a_form_that_is_sent_twice_charges_once(stripe, seller):
    for _ in range(2):
        assert "is made at Stripe" in sell(seller).content.decode()
    assert len(stripe.state(seller)["payment_intent"]) == 1


def test_the_page_looks_again_until_the_webhook_has_told_of_the_sale(merchant, charge):
    merchant(BAKERY, "Bakery")
    waiting = page(f"/?sale=pi_1&in={BAKERY}&looks=0")
    assert f"url=/?sale=pi_1&amp;in={BAKERY}&amp;looks=1" in waiting
    charge("ch_1", BAKERY, payment_intent="pi_1")
    arrived = page(f"/?sale=pi_1&in={BAKERY}&looks=1")
    assert "came back through a signed webhook" in arrived
    assert "http-equiv" not in arrived


@pytest.mark.parametrize("looks", ["8", "x", ""])
def test_the_page_stops_looking_and_says_what_may_be_missing(looks):
    shown = page(f"/?sale=pi_1&in=&looks={looks}")
    assert "no webhook has told of it" in shown
    assert "http-equiv" not in shown


def test_what_stripe_refuses_is_said_and_nothing_breaks(stripe, seller):
    connect.client(account=connect.PLATFORM).v1.accounts.delete(seller)
    response = sell(seller)
    assert "Stripe refused the sale: HTTP 403 account_invalid" in response.content.decode()


@pytest.mark.parametrize("form", [{"way": "theft"}, {"key": "short"}])
def test_a_form_that_is_not_of_the_page_is_refused(merchant, form):
    merchant(BAKERY, "Bakery")
    assert "not of this page" in sell(BAKERY, **form).content.decode()


def test_nobody_sells_for_a_merchant_that_is_not_connected(merchant):
    merchant(BAKERY, "Bakery")
    assert sell("acct_Stranger").status_code == 404


def test_a_sale_needs_the_token_of_the_page(merchant):
    merchant(BAKERY, "Bakery")
    client = Client(enforce_csrf_checks=True)
    assert client.post("/sales/", {"account": BAKERY}).status_code == 403
