"""Subscriptions in a simple form: each period is invoiced, from the first to the last."""

from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.billing import DAY, JANUARY_31, buyer, monthly, types


def test_a_subscription_is_charged_every_month(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    stand_in.clock.freeze(JANUARY_31)
    items: Any = [{"price": price, "quantity": 2}]
    subscription: Any = stripe.v1.subscriptions.create({"customer": buyer(stripe), "items": items})
    assert subscription.status == "active"
    item = subscription["items"].data[0]
    assert item.current_period_end == JANUARY_31 + 29 * DAY  # the last of February
    stand_in.advance(29 * DAY)
    stand_in.advance(29 * DAY)
    invoices = stripe.v1.invoices.list({"customer": subscription.customer}).data
    assert [invoice.status for invoice in invoices] == ["paid"] * 3
    assert [invoice.billing_reason for invoice in invoices][-1] == "subscription_create"
    assert stand_in.funds()["usd"].total == 3 * (4000 - 146)
    assert "customer.subscription.updated" in types(stand_in)


def test_a_renewal_that_fails_makes_it_past_due_and_paying_makes_it_active(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    customer = buyer(stripe)
    subscription = stripe.v1.subscriptions.create(
        {"customer": customer, "items": [{"price": price}]}
    )
    broken = stripe.v1.payment_methods.attach("pm_card_chargeCustomerFail", {"customer": customer})
    settings: Any = {"default_payment_method": broken.id}
    stripe.v1.customers.update(customer, {"invoice_settings": settings})
    stand_in.advance(31 * DAY)
    late: Any = stripe.v1.subscriptions.retrieve(subscription.id)
    assert late.status == "past_due"
    stripe.v1.invoices.pay(late.latest_invoice, {"payment_method": "pm_card_visa"})
    assert stripe.v1.subscriptions.retrieve(subscription.id).status == "active"


def test_a_trial_costs_nothing_until_it_ends(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    subscription = stripe.v1.subscriptions.create(
        {"customer": buyer(stripe), "items": [{"price": price}], "trial_period_days": 10}
    )
    assert subscription.status == "trialing"
    assert stand_in.funds() == {}
    stand_in.advance(8 * DAY)
    assert "customer.subscription.trial_will_end" in types(stand_in)
    stand_in.advance(3 * DAY)
    assert stripe.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert stand_in.funds()["usd"].total == 2000 - 88


def test_without_a_payment_method_a_trial_may_end_paused(
    stripe: sdk.StripeClient, price: str
) -> None:
    ending: Any = {"end_behavior": {"missing_payment_method": "pause"}}
    params: Any = {"customer": buyer(stripe, ""), "items": [{"price": price}]}
    subscription = stripe.v1.subscriptions.create(
        {**params, "trial_period_days": 7, "trial_settings": ending}
    )
    paused = stripe.v1.subscriptions.update(subscription.id, {"trial_end": "now"})
    assert paused.status == "paused"
    with pytest.raises(sdk.InvalidRequestError, match="no attached payment source"):
        stripe.v1.subscriptions.create(params)


def test_a_first_payment_that_fails_leaves_it_incomplete(
    stripe: sdk.StripeClient, price: str
) -> None:
    params: Any = {"customer": buyer(stripe, "chargeDeclined"), "items": [{"price": price}]}
    assert stripe.v1.subscriptions.create(params).status == "incomplete"
    with pytest.raises(sdk.CardError):
        stripe.v1.subscriptions.create({**params, "payment_behavior": "error_if_incomplete"})
    later: Any = stripe.v1.subscriptions.create(
        {**params, "payment_behavior": "default_incomplete", "expand": ["latest_invoice.payments"]}
    )
    assert later.status == "incomplete"
    intent = later.latest_invoice.payments.data[0].payment.payment_intent
    stripe.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"})
    assert stripe.v1.subscriptions.retrieve(later.id).status == "active"


def test_it_ends_at_once_or_with_its_period(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    params: Any = {"customer": buyer(stripe), "items": [{"price": price}]}
    now, later = (stripe.v1.subscriptions.create(params).id for _ in range(2))
    assert stripe.v1.subscriptions.cancel(now).status == "canceled"
    stripe.v1.subscriptions.update(later, {"cancel_at_period_end": True})
    stand_in.advance(32 * DAY)
    assert stripe.v1.subscriptions.retrieve(later).status == "canceled"
    assert types(stand_in).count("customer.subscription.deleted") == 2
    assert stripe.v1.subscriptions.list().data == []
    assert len(stripe.v1.subscriptions.list({"status": "all"}).data) == 2
    assert stand_in.funds()["usd"].total == 2 * (2000 - 88)


def test_items_come_and_go(stripe: sdk.StripeClient, price: str) -> None:
    params: Any = {"customer": buyer(stripe), "items": [{"price": price}]}
    subscription: Any = stripe.v1.subscriptions.create(params)
    item = stripe.v1.subscription_items.create(
        {"subscription": subscription.id, "price": monthly(stripe, 500), "quantity": 3}
    )
    stripe.v1.subscription_items.update(item.id, {"quantity": 4})
    shown: Any = stripe.v1.subscriptions.retrieve(subscription.id)
    assert [row.quantity for row in shown["items"].data] == [1, 4]
    stripe.v1.subscription_items.delete(item.id)
    listed = stripe.v1.subscription_items.list({"subscription": subscription.id})
    assert [row.id for row in listed.data] == [subscription["items"].data[0].id]


def test_a_merchants_subscription_pays_the_platform_its_share(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    own = stand_in.client(stripe_account=merchant)
    params: Any = {"customer": buyer(own), "items": [{"price": monthly(own)}]}
    own.v1.subscriptions.create({**params, "application_fee_percent": 10})
    assert stand_in.funds(merchant)["usd"].total == 2000 - 88 - 200
    assert stand_in.funds()["usd"].total == 200


def test_a_platforms_subscription_may_go_to_a_merchant(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str, price: str
) -> None:
    share: Any = {"destination": merchant, "amount_percent": 75}
    stripe.v1.subscriptions.create(
        {"customer": buyer(stripe), "items": [{"price": price}], "transfer_data": share}
    )
    assert stand_in.funds(merchant)["usd"].total == 1500
    assert stand_in.funds()["usd"].total == 2000 - 88 - 1500


def test_a_test_clock_moves_only_its_own_customers(
    stand_in: StandIn, stripe: sdk.StripeClient, price: str
) -> None:
    clock = stripe.v1.test_helpers.test_clocks.create({"frozen_time": JANUARY_31})
    ids = []
    for params in ({"test_clock": clock.id}, {}):
        customer = buyer(stripe, **params)
        ids.append(
            stripe.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]}).id
        )
    stripe.v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": JANUARY_31 + 65 * DAY})
    assert stripe.v1.test_helpers.test_clocks.retrieve(clock.id).status == "ready"
    counts = [len(stripe.v1.invoices.list({"subscription": id_}).data) for id_ in ids]
    assert counts == [3, 1]
