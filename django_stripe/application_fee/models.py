"""Owns the mirror of application fees. A fee lives on the platform, its charge on the merchant's account."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class ApplicationFee(AbstractStripeModel):
    """https://docs.stripe.com/api/application_fees/object"""

    stripe_object = "application_fee"
    stripe_sdk_name = "application_fees"
    dashboard_path = "connect/application_fees"
    merchant_fields = ("account",)

    # First, for the policies of row-level security look at them: PostgreSQL takes a row apart up to there.
    account = columns.Reference("account")
    amount = columns.Amount("amount")
    amount_refunded = columns.Amount("amount_refunded")
    currency = columns.Text("currency")
    refunded = columns.Flag("refunded")
    charge = columns.Reference("charge")
    originating_transaction = columns.Reference("originating_transaction")
    balance_transaction = columns.Reference("balance_transaction")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_application_fee"
        verbose_name = "application fee"
        verbose_name_plural = "application fees"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(account="account", charge="charge"),
        ]
