"""Billing in a simple form: what is invoiced is paid by real charges, and the money adds up."""

import urllib.request
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

DAY = 24 * 3600
JANUARY_31 = 1_706_659_200


@pytest.fixture
def price(stripe: sdk.StripeClient) -> str:
    """20.00 USD a month, on the platform."""
    return monthly(stripe)


def monthly(stripe: sdk.StripeClient, amount: int = 2000, **options: Any) -> str:
    recurring: Any = {"interval": "month"}
    product: Any = {"name": "Tea club"}
    params: Any = {"currency": "usd", "unit_amount": amount, "product_data": product}
    return stripe.v1.prices.create({**params, "recurring": recurring}, options or None).id  # type: ignore[arg-type]


def buyer(stripe: sdk.StripeClient, card: str = "visa", **params: Any) -> str:
    customer: Any = {"name": "Ann", "email": "ann@example.com", **params}
    if card:
        customer["payment_method"] = f"pm_card_{card}"
        customer["invoice_settings"] = {"default_payment_method": f"pm_card_{card}"}
    return stripe.v1.customers.create(customer).id


def types(stand_in: StandIn, account: str = "") -> list[str]:
    return [event["type"] for event in stand_in.state(account).get("event", {}).values()]


def invoiced(stripe: sdk.StripeClient, customer: str, amount: int = 5000, **params: Any) -> Any:
    stripe.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd"})
    wanted: Any = {"customer": customer, "pending_invoice_items_behavior": "include", **params}
    return stripe.v1.invoices.create(wanted)


def test_an_invoice_goes_from_draft_to_open_to_paid_by_a_real_charge(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    invoice = invoiced(stripe, buyer(stripe))
    assert (invoice.status, invoice.total, invoice.lines.data[0].amount) == ("draft", 5000, 5000)
    invoice = stripe.v1.invoices.finalize_invoice(invoice.id)
    assert invoice.status == "open"
    assert invoice.number
    invoice = stripe.v1.invoices.pay(invoice.id, {"expand": ["payments"]})
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 5000, 0)
    payments: Any = invoice.payments
    intent = stripe.v1.payment_intents.retrieve(payments.data[0].payment.payment_intent)
    assert (intent.status, intent.amount_received) == ("succeeded", 5000)
    assert stand_in.funds()["usd"].total == 5000 - 175
    told = types(stand_in)
    for type_ in ("invoice.created", "invoice.finalized", "invoice.paid", "charge.succeeded"):
        assert type_ in told
    assert told.index("invoice.finalized") < told.index("invoice.paid")


def test_a_declined_card_leaves_the_invoice_open_and_another_card_pays_it(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    invoice = invoiced(stripe, buyer(stripe, "chargeDeclined"))
    with pytest.raises(sdk.CardError):
        stripe.v1.invoices.pay(invoice.id)
    invoice = stripe.v1.invoices.retrieve(invoice.id)
    assert (invoice.status, invoice.attempt_count) == ("open", 1)
    assert "invoice.payment_failed" in types(stand_in)
    paid = stripe.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
    assert paid.status == "paid"
    assert len(stand_in.state()["payment_intent"]) == 1


def test_a_card_that_asks_for_authentication_says_so(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    invoice = invoiced(stripe, buyer(stripe, "authenticationRequired"))
    with pytest.raises(sdk.CardError) as refused:
        stripe.v1.invoices.pay(invoice.id)
    assert refused.value.code == "invoice_payment_intent_requires_action"
    assert "invoice.payment_action_required" in types(stand_in)


@pytest.mark.parametrize(
    ("verb", "status", "event"),
    [
        ("void_invoice", "void", "invoice.voided"),
        ("mark_uncollectible", "uncollectible", "invoice.marked_uncollectible"),
        ("send_invoice", "open", "invoice.sent"),
    ],
)
def test_an_open_invoice_may_end_otherwise(
    stand_in: StandIn, stripe: sdk.StripeClient, verb: str, status: str, event: str
) -> None:
    invoice = invoiced(stripe, buyer(stripe), collection_method="send_invoice", days_until_due=7)
    stripe.v1.invoices.finalize_invoice(invoice.id)
    assert getattr(stripe.v1.invoices, verb)(invoice.id).status == status
    assert event in types(stand_in)
    assert stand_in.funds() == {}


def test_only_drafts_are_deleted(stripe: sdk.StripeClient) -> None:
    invoice = invoiced(stripe, buyer(stripe))
    assert stripe.v1.invoices.delete(invoice.id).deleted
    invoice = invoiced(stripe, buyer(stripe))
    stripe.v1.invoices.finalize_invoice(invoice.id)
    with pytest.raises(sdk.InvalidRequestError, match="cannot be deleted: it is open"):
        stripe.v1.invoices.delete(invoice.id)


def test_discounts_and_taxes(stripe: sdk.StripeClient) -> None:
    stripe.v1.coupons.create({"id": "TEN", "percent_off": 10})
    code = stripe.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": "TEN"}})
    vat = stripe.v1.tax_rates.create({"display_name": "VAT", "inclusive": False, "percentage": 20})
    invoice = invoiced(
        stripe,
        buyer(stripe),
        discounts=[{"promotion_code": code.id}],
        default_tax_rates=[vat.id],
    )
    assert (invoice.subtotal, invoice.total_excluding_tax, invoice.total) == (5000, 4500, 5400)
    assert stripe.v1.invoices.pay(invoice.id).amount_paid == 5400


def test_a_customers_credit_pays_first(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    customer = buyer(stripe)
    stripe.v1.customers.balance_transactions.create(customer, {"amount": -6000, "currency": "usd"})
    invoice = stripe.v1.invoices.pay(invoiced(stripe, customer).id)
    assert (invoice.status, invoice.amount_due, invoice.starting_balance) == ("paid", 0, -6000)
    invoice = stripe.v1.invoices.pay(invoiced(stripe, customer).id)
    assert (invoice.amount_paid, invoice.ending_balance) == (4000, 0)
    assert stripe.v1.customers.retrieve(customer).balance == 0
    assert stand_in.funds()["usd"].total == 4000 - 146


def test_credit_notes_reduce_what_is_open_and_credit_what_was_paid(
    stripe: sdk.StripeClient,
) -> None:
    customer = buyer(stripe)
    invoice = stripe.v1.invoices.finalize_invoice(invoiced(stripe, customer).id)
    note = stripe.v1.credit_notes.create({"invoice": invoice.id, "amount": 1000})
    assert note.type == "pre_payment"
    assert stripe.v1.invoices.pay(invoice.id).amount_paid == 4000
    note = stripe.v1.credit_notes.create({"invoice": invoice.id, "amount": 500})
    assert note.type == "post_payment"
    assert stripe.v1.customers.retrieve(customer).balance == -500
    with pytest.raises(sdk.InvalidRequestError, match=r"what is left \(3500\)"):
        stripe.v1.credit_notes.create({"invoice": invoice.id, "amount": 9000})


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
