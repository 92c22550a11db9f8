"""Owns the account-bound client: Stripe's SDK, every call of which runs in one account."""

from __future__ import annotations

import stripe
from django.core.exceptions import ImproperlyConfigured

from connect.context import current_account
from django_stripe.client import client_for
from django_stripe.conf import configured_modes
from django_stripe.platform import Account


def client(*, account: Account | None = None, livemode: bool | None = None) -> stripe.StripeClient:
    """Return Stripe's client, whose calls run in `account`; left out, in the account of the context.

    `livemode` may be left out where ``STRIPE_API_KEY`` has a key of one mode only. Raises NoAccount
    outside of any context, ImproperlyConfigured without a key. https://docs.stripe.com/connect/authentication
    """
    if account is None:
        account = current_account()
    if livemode is None:
        modes = configured_modes()
        if len(modes) > 1:
            raise ImproperlyConfigured(
                "STRIPE_API_KEY has a live and a test key: say which to use, client(livemode=…)."
            )
        livemode = next(iter(modes), False)
    return client_for(livemode=livemode, account=account)
