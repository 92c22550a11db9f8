"""Owns the mirror of customers."""

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel, references


class Customer(AbstractStripeModel):
    """https://docs.stripe.com/api/customers/object"""

    stripe_object = "customer"
    stripe_sdk_name = "customers"
    dashboard_path = "customers"

    name = columns.Text("name")
    email = columns.Text("email")
    balance = columns.Amount("balance")
    currency = columns.Text("currency")
    delinquent = columns.Flag("delinquent")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_customer"
        verbose_name = "customer"
        verbose_name_plural = "customers"
        indexes = [
            *AbstractStripeModel.Meta.indexes,
            *references(email="email"),
        ]
