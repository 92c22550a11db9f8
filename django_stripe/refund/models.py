"""Owns the mirror of refunds."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class Refund(AbstractStripeModel):
    """https://docs.stripe.com/api/refunds/object"""

    stripe_object = "refund"
    stripe_sdk_name = "refunds"
    dashboard_path = "refunds"

    amount = columns.Amount("amount")
    currency = columns.Text("currency")
    status = columns.Text("status")
    reason = columns.Text("reason")
    charge = columns.Reference("charge")
    payment_intent = columns.Reference("payment_intent")
    balance_transaction = columns.Reference("balance_transaction")
    transfer_reversal = columns.Reference("transfer_reversal")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_refund"
        verbose_name = "refund"
        verbose_name_plural = "refunds"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(charge="charge", pi="payment_intent"),
        ]
