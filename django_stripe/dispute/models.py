"""Owns the mirror of disputes."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class Dispute(AbstractStripeModel):
    """https://docs.stripe.com/api/disputes/object"""

    stripe_object = "dispute"
    stripe_sdk_name = "disputes"
    dashboard_path = "disputes"

    amount = columns.Amount("amount")
    currency = columns.Text("currency")
    status = columns.Text("status")
    reason = columns.Text("reason")
    charge = columns.Reference("charge")
    payment_intent = columns.Reference("payment_intent")
    due_by = columns.Moment("evidence_details", "due_by")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_dispute"
        verbose_name = "dispute"
        verbose_name_plural = "disputes"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(charge="charge"),
        ]
