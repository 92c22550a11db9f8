"""Invoices in a simple form: what is invoiced is paid by real charges, and the money adds up."""

from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.billing import buyer, invoiced, types


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
