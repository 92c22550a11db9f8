"""Owns the mirror of balance transactions: every movement of an account's balance. No event tells of them."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class BalanceTransaction(AbstractStripeModel):
    """https://docs.stripe.com/api/balance_transactions/object"""

    stripe_object = "balance_transaction"
    stripe_sdk_name = "balance_transactions"

    amount = columns.Amount("amount")
    fee = columns.Amount("fee")
    net = columns.Amount("net")
    currency = columns.Text("currency")
    type = columns.Text("type")
    reporting_category = columns.Text("reporting_category")
    status = columns.Text("status")
    source = columns.Reference("source")
    available_on = columns.Moment("available_on")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_balance_transaction"
        verbose_name = "balance transaction"
        verbose_name_plural = "balance transactions"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(source="source"),
        ]
