"""Owns the mirror of accounts: the platform's own, and those connected to it."""

import stripe

from django_stripe.common import columns
from django_stripe.common.models import AbstractStripeModel


class Account(AbstractStripeModel):
    """https://docs.stripe.com/api/accounts/object"""

    stripe_object = "account"
    stripe_sdk_name = "accounts"
    dashboard_path = "connect/accounts"

    type = columns.Text("type")
    country = columns.Text("country")
    email = columns.Text("email")
    business_name = columns.Text("business_profile", "name")
    default_currency = columns.Text("default_currency")
    dashboard_type = columns.Text("controller", "stripe_dashboard", "type")
    charges_enabled = columns.Flag("charges_enabled")
    payouts_enabled = columns.Flag("payouts_enabled")
    details_submitted = columns.Flag("details_submitted")
    disabled_reason = columns.Text("requirements", "disabled_reason")

    class Meta(AbstractStripeModel.Meta):
        db_table = "stripe_account"
        verbose_name = "account"
        verbose_name_plural = "accounts"

    def ask_stripe(self, client: stripe.StripeClient) -> stripe.StripeObject:
        """Ask as the platform: the account is in the address of the request, or it is the platform's own.

        https://docs.stripe.com/api/accounts/retrieve
        """
        if self.connect_account_id:
            return client.v1.accounts.retrieve(self.stripe_id)
        return client.v1.accounts.retrieve_current()
