"""Billing around invoices and subscriptions: Checkout, links, quotes, discounts, and ways to pay that take time."""

import urllib.request
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.billing import buyer, types


def test_checkout_sells_subscriptions(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    once: Any = {
        "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Mug"}}
    }
    session = stripe.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price, "quantity": 1}, {**once, "quantity": 1}],
            "success_url": "http://localhost/",
        }
    )
    assert session.amount_total == 2700
    done = stand_in.pay(session.id, email="ann@example.com")
    assert (done["status"], done["payment_status"]) == ("complete", "paid")
    assert stripe.v1.subscriptions.retrieve(done["subscription"]).status == "active"
    assert stripe.v1.invoices.retrieve(done["invoice"]).amount_paid == 2700
    assert stripe.v1.customers.retrieve(done["customer"]).email == "ann@example.com"


def test_a_declined_card_at_checkout_leaves_no_subscription(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    session = stripe.v1.checkout.sessions.create(
        {"mode": "subscription", "line_items": [{"price": price, "quantity": 1}]}
    )
    with pytest.raises(Exception, match="declined"):
        stand_in.pay(session.id, card="chargeDeclined")
    assert stripe.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert stand_in.state().get("subscription", {}) == {}


def test_checkout_saves_a_card(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    customer = buyer(stripe, "")
    session = stripe.v1.checkout.sessions.create(
        {
            "mode": "setup",
            "currency": "usd",
            "customer": customer,
            "success_url": "http://localhost/",
        }
    )
    done = stand_in.pay(session.id, card="mastercard")
    intent = stripe.v1.setup_intents.retrieve(done["setup_intent"])
    assert intent.status == "succeeded"
    methods = stripe.v1.payment_methods.list({"customer": customer}).data
    assert [method.id for method in methods] == [intent.payment_method]


@pytest.mark.parametrize(
    ("mode", "lines"), [("payment", "recurring"), ("subscription", "once"), ("setup", "once")]
)
def test_checkout_refuses_lines_that_its_mode_does_not_take(
    stripe: sdk.StripeClient, price: str, mode: Any, lines: str
) -> None:
    once: Any = {
        "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Mug"}}
    }
    line: Any = {"price": price, "quantity": 1} if lines == "recurring" else {**once, "quantity": 1}
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.checkout.sessions.create({"mode": mode, "line_items": [line]})


def test_a_payment_link_opens_a_new_session_each_time(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    link = stripe.v1.payment_links.create({"line_items": [{"price": price, "quantity": 1}]})
    for _ in range(2):
        with urllib.request.urlopen(link.url, timeout=10) as page:  # noqa: S310 - our own server
            assert b"Test card" in page.read()
    sessions = stripe.v1.checkout.sessions.list().data
    assert [session.payment_link for session in sessions] == [link.id, link.id]


def test_a_quote_becomes_an_invoice_or_a_subscription(stripe: sdk.StripeClient, price: str) -> None:
    once: Any = {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Mug"}}
    for item in ({"price": price}, {"price": stripe.v1.prices.create(once).id}):
        quote = stripe.v1.quotes.create({"customer": buyer(stripe), "line_items": [item]})  # type: ignore[list-item]
        stripe.v1.quotes.finalize_quote(quote.id)
        accepted = stripe.v1.quotes.accept(quote.id)
        assert accepted.status == "accepted"
        assert bool(accepted.subscription) != bool(accepted.invoice)


def test_a_customers_discount_tells_what_it_was(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    """The parameter is one of older versions, and the way the official CLI sets it."""
    for percent in (10, 20):
        stripe.v1.coupons.create({"id": f"C{percent}", "percent_off": percent})
    old: Any = {"stripe_version": "2024-06-20"}
    customer = stripe.v1.customers.create({"coupon": "C10"}, old)  # type: ignore[typeddict-unknown-key]
    stripe.v1.customers.update(customer.id, {"coupon": "C20"}, old)  # type: ignore[typeddict-unknown-key]
    stripe.v1.customers.delete_discount(customer.id)
    told = [t for t in types(stand_in) if t.startswith("customer.discount")]
    assert told == [f"customer.discount.{verb}" for verb in ("created", "updated", "deleted")]
    with pytest.raises(sdk.InvalidRequestError, match="unknown parameter: coupon"):
        stripe.v1.customers.create({"coupon": "C10"})  # type: ignore[typeddict-unknown-key]


def test_what_a_version_retired_is_refused_in_its_own_words(stripe: sdk.StripeClient) -> None:
    params: Any = {"amount": 1000, "currency": "usd", "payment_method_types": ["card"]}
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.payment_intents.create(params)
    assert refused.value.code == "payment_method_types_no_longer_supported"
    old: Any = {"stripe_version": "2026-05-27.dahlia"}
    assert stripe.v1.payment_intents.create(params, old).payment_method_types == ["card"]


def test_a_debit_is_paid_or_not_when_the_bank_has_answered(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    outcomes = []
    for iban in ("AT611904300234573201", "AT861904300235473202"):
        method: Any = {"type": "sepa_debit", "sepa_debit": {"iban": iban}}
        made = stripe.v1.payment_methods.create(method)
        intent = stripe.v1.payment_intents.create(
            {"amount": 1000, "currency": "eur", "payment_method": made.id, "confirm": True}
        )
        assert intent.status == "processing"
        outcomes.append(stripe.v1.payment_intents.retrieve(intent.id).status)
    assert outcomes == ["succeeded", "requires_payment_method"]
    assert stand_in.funds()["eur"].total == 1000 - 59


def test_a_bank_transfer_may_pay_in_parts(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    customer = buyer(stripe, "")
    transfer: Any = {"funding_type": "bank_transfer", "bank_transfer": {"type": "us_bank_transfer"}}
    intent = stripe.v1.payment_intents.create(
        {
            "amount": 3000,
            "currency": "usd",
            "customer": customer,
            "confirm": True,
            "payment_method_data": {"type": "customer_balance"},
            "payment_method_options": {"customer_balance": transfer},
        }
    )
    assert intent.status == "requires_action"
    for amount in (1000, 2500):
        stripe.v1.test_helpers.customers.fund_cash_balance(
            customer, {"amount": amount, "currency": "usd"}
        )
    assert stripe.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    left: Any = stripe.v1.customers.cash_balance.retrieve(customer)
    assert left.available.to_dict() == {"usd": 500}
    assert stand_in.funds()["usd"].total == 3000 - 117
    assert "payment_intent.partially_funded" in types(stand_in)
