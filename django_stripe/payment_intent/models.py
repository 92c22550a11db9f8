"""Owns the mirror of payment intents."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class PaymentIntent(AbstractStripeModel):
    """https://docs.stripe.com/api/payment_intents/object"""

    stripe_object = "payment_intent"
    stripe_sdk_name = "payment_intents"
    dashboard_path = "payments"
    merchant_fields = ("destination", "on_behalf_of")

    # First, for the policies of row-level security look at them: PostgreSQL takes a row apart up to there.
    destination = columns.Reference("transfer_data", "destination")
    on_behalf_of = columns.Reference("on_behalf_of")
    amount = columns.Amount("amount")
    amount_received = columns.Amount("amount_received")
    application_fee_amount = columns.Amount("application_fee_amount")
    currency = columns.Text("currency")
    status = columns.Text("status")
    customer = columns.Reference("customer")
    latest_charge = columns.Reference("latest_charge")
    transfer_group = columns.Text("transfer_group")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_payment_intent"
        verbose_name = "payment intent"
        verbose_name_plural = "payment intents"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(
                customer="customer", destination="destination", on_behalf_of="on_behalf_of"
            ),
        ]
