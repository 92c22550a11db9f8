"""Owns the mirror of payouts, which can fail after they were paid."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel


class Payout(AbstractStripeModel):
    """https://docs.stripe.com/api/payouts/object"""

    stripe_object = "payout"
    stripe_sdk_name = "payouts"
    dashboard_path = "payouts"

    amount = columns.Amount("amount")
    currency = columns.Text("currency")
    status = columns.Text("status")
    type = columns.Text("type")
    method = columns.Text("method")
    automatic = columns.Flag("automatic")
    arrival_date = columns.Moment("arrival_date")
    balance_transaction = columns.Reference("balance_transaction")
    failure_code = columns.Text("failure_code")
    reconciliation_status = columns.Text("reconciliation_status")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_payout"
        verbose_name = "payout"
        verbose_name_plural = "payouts"
