"""Owns the registration of the mirror's admin: every installed object has a page.

For one of your own, unregister it first: ``admin.site.unregister(Charge)``, then register a subclass of
``django_stripe.common.admin.StripeObjectAdmin``. An app that comes before ``django_stripe`` in
``INSTALLED_APPS`` need not: what is registered is left alone.
"""

from __future__ import annotations

from typing import Final

from django.contrib import admin

from django_stripe.common.admin import StripeObjectAdmin
from django_stripe.registry import models_by_object


class AccountAdmin(StripeObjectAdmin):
    """Of an account it matters whether it can charge and be paid out."""

    listed = ("business_name", "country", "charges_enabled", "payouts_enabled", "disabled_reason")


ADMINS: Final[dict[str, type[StripeObjectAdmin]]] = {"account": AccountAdmin}

for stripe_object, model in models_by_object().items():
    if not admin.site.is_registered(model):
        admin.site.register(model, ADMINS.get(stripe_object, StripeObjectAdmin))
