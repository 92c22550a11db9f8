"""Owns the mirror of transfers: what the platform moved to a merchant's account."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class Transfer(AbstractStripeModel):
    """https://docs.stripe.com/api/transfers/object"""

    stripe_object = "transfer"
    stripe_sdk_name = "transfers"
    dashboard_path = "connect/transfers"
    merchant_fields = ("destination",)

    # First, for the policies of row-level security look at them: PostgreSQL takes a row apart up to there.
    destination = columns.Reference("destination")
    amount = columns.Amount("amount")
    amount_reversed = columns.Amount("amount_reversed")
    currency = columns.Text("currency")
    reversed = columns.Flag("reversed")
    destination_payment = columns.Reference("destination_payment")
    source_transaction = columns.Reference("source_transaction")
    transfer_group = columns.Text("transfer_group")
    balance_transaction = columns.Reference("balance_transaction")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_transfer"
        verbose_name = "transfer"
        verbose_name_plural = "transfers"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(
                destination="destination", source="source_transaction", group="transfer_group"
            ),
        ]
