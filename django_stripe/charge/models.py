"""Owns the mirror of charges, a merchant's side of a transfer (py_…) included."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class Charge(AbstractStripeModel):
    """https://docs.stripe.com/api/charges/object"""

    stripe_object = "charge"
    stripe_sdk_name = "charges"
    dashboard_path = "payments"
    merchant_fields = ("destination", "on_behalf_of")

    # First, for the policies of row-level security look at them: PostgreSQL takes a row apart up to there.
    destination = columns.Reference("transfer_data", "destination")
    on_behalf_of = columns.Reference("on_behalf_of")
    amount = columns.Amount("amount")
    amount_captured = columns.Amount("amount_captured")
    amount_refunded = columns.Amount("amount_refunded")
    application_fee_amount = columns.Amount("application_fee_amount")
    currency = columns.Text("currency")
    status = columns.Text("status")
    paid = columns.Flag("paid")
    refunded = columns.Flag("refunded")
    disputed = columns.Flag("disputed")
    description = columns.Text("description")
    customer = columns.Reference("customer")
    payment_intent = columns.Reference("payment_intent")
    balance_transaction = columns.Reference("balance_transaction")
    transfer = columns.Reference("transfer")
    transfer_group = columns.Text("transfer_group")
    source_transfer = columns.Reference("source_transfer")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_charge"
        verbose_name = "charge"
        verbose_name_plural = "charges"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(
                customer="customer",
                pi="payment_intent",
                destination="destination",
                on_behalf_of="on_behalf_of",
            ),
        ]
