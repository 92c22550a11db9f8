"""Owns the mirror of checkout sessions. They name no merchant: their payment intent does."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class CheckoutSession(AbstractStripeModel):
    """https://docs.stripe.com/api/checkout/sessions/object"""

    stripe_object = "checkout.session"
    stripe_sdk_name = "checkout.sessions"

    amount_total = columns.Amount("amount_total")
    currency = columns.Text("currency")
    mode = columns.Text("mode")
    status = columns.Text("status")
    payment_status = columns.Text("payment_status")
    client_reference_id = columns.Text("client_reference_id")
    customer = columns.Reference("customer")
    payment_intent = columns.Reference("payment_intent")
    subscription = columns.Reference("subscription")
    expires_at = columns.Moment("expires_at")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_checkout_session"
        verbose_name = "checkout session"
        verbose_name_plural = "checkout sessions"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(pi="payment_intent", client_ref="client_reference_id"),
        ]
