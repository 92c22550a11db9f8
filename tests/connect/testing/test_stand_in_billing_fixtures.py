"""Billing's objects have the keys of Stripe's official fixtures too, and their events are official ones."""

import json
from typing import Any

import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.test_stand_in_official_fixtures import OPENAPI, official

__all__ = ["official"]
# Keys of the fixtures that Stripe leaves out as a rule, or shows in older versions only.
LEFT_OUT = {"charge": {"refunds"}, "invoice": {"subscription"}}


def billing(stand_in: StandIn, stripe: sdk.StripeClient) -> dict[str, Any]:
    """One of each object, as it is stored: what the API answers."""
    pay: Any = {"default_payment_method": "pm_card_visa"}
    customer = stripe.v1.customers.create(
        {"payment_method": "pm_card_visa", "invoice_settings": pay, "name": "Ann"}
    ).id
    stripe.v1.customers.payment_sources.create(customer, {"source": "tok_visa"})
    stripe.v1.customers.tax_ids.create(customer, {"type": "eu_vat", "value": "DE123456789"})
    stripe.v1.customers.balance_transactions.create(customer, {"amount": 1, "currency": "usd"})
    stripe.v1.test_helpers.customers.fund_cash_balance(customer, {"amount": 9, "currency": "usd"})
    stripe.v1.coupons.create({"id": "TEN", "percent_off": 10})
    stripe.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": "TEN"}})
    rate = stripe.v1.tax_rates.create({"display_name": "V", "inclusive": True, "percentage": 20})
    plan: Any = {"currency": "usd", "interval": "month", "amount": 500, "product": {"name": "Tea"}}
    stripe.v1.plans.create(plan)
    product: Any = {"name": "Mug"}
    price = stripe.v1.prices.create(
        {"currency": "usd", "unit_amount": 700, "product_data": product}
    ).id
    monthly: Any = {"currency": "usd", "unit_amount": 700, "product_data": product}
    monthly = stripe.v1.prices.create({**monthly, "recurring": {"interval": "month"}}).id
    stripe.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": monthly}], "discounts": [{"coupon": "TEN"}]}
    )
    stripe.v1.invoice_items.create({"customer": customer, "pricing": {"price": price}})
    invoice = stripe.v1.invoices.create(
        {
            "customer": customer,
            "pending_invoice_items_behavior": "include",
            "default_tax_rates": [rate.id],
        }
    )
    stripe.v1.invoices.finalize_invoice(invoice.id)
    line: Any = {"type": "custom_line_item", "unit_amount": 100, "quantity": 1, "description": "x"}
    stripe.v1.credit_notes.create({"invoice": invoice.id, "lines": [line]})
    stripe.v1.setup_intents.create({"customer": customer})
    stripe.v1.quotes.create({"customer": customer, "line_items": [{"price": price}]})
    stripe.v1.payment_links.create({"line_items": [{"price": price, "quantity": 1}]})
    stripe.v1.subscription_schedules.create(
        {"customer": customer, "start_date": "now", "phases": [{"items": [{"price": monthly}]}]}
    )
    stripe.v1.topups.create({"amount": 100, "currency": "usd"})
    stripe.v1.test_helpers.test_clocks.create({"frozen_time": 1_700_000_000})
    stripe.v1.billing_portal.configurations.create(
        {"features": {"invoice_history": {"enabled": True}}}
    )
    stripe.v1.billing_portal.sessions.create({"customer": customer})
    state = {noun: rows for noun, rows in stand_in.state().items() if not noun.startswith("v2.")}
    return {noun: next(iter(rows.values())) for noun, rows in state.items()}


def test_billings_objects_have_the_keys_of_the_official_ones(
    official: Any,
    stand_in: StandIn,
    stripe: sdk.StripeClient,
) -> None:
    fixtures, resources = official
    missing = {}
    objects = billing(stand_in, stripe)
    for noun, obj in objects.items():
        wanted = set(fixtures[noun]) | set(resources[noun]["required"])
        missing[noun] = sorted(wanted - obj.keys() - LEFT_OUT.get(noun, set()))
    assert {noun: keys for noun, keys in missing.items() if keys} == {}
    assert len(objects) >= 30


def test_billings_events_are_official_ones(
    official: Any,
    stand_in: StandIn,
    stripe: sdk.StripeClient,
) -> None:
    listed = set(json.loads((OPENAPI / "event_types.2026-08-26.json").read_text())["event_types"])
    billing(stand_in, stripe)
    stand_in.advance(40 * 24 * 3600)
    told = {event["type"] for event in stand_in.state()["event"].values()}
    assert told - listed <= {"customer_cash_balance_transaction.created"}
    assert official
