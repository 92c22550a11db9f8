"""Owns which apps have their tables in the shared schema, and which in every merchant's. For a project's settings.

    SHARED_APPS = placing.shared_apps("django.contrib.admin", "django.contrib.auth", …)
    TENANT_APPS = placing.tenant_apps("shop.orders")
    INSTALLED_APPS = placing.installed_apps(SHARED_APPS, TENANT_APPS)

Nothing of Django's is imported here: settings are being read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django_stripe import APPS

SHARED_OBJECTS: Final = ("django_stripe.account",)
"""Objects that are about who is connected, not of a merchant alone: their rows tell the platform whom it has."""

SHARED: Final = (
    "django_tenants",
    "tenants",
    "tenants.merchants",
    "django_stripe",
    *SHARED_OBJECTS,
    "connect",
)


def shared_apps(*own: str) -> list[str]:
    """Return ``SHARED_APPS``: accounts, inbox, lanes and the map of merchants, with the project's own after them."""
    # The map before the contexts that are entered by it; Django's own, which own tells, before all of these.
    return [*SHARED[:1], *own, *SHARED[1:]]


def tenant_apps(*own: str, objects: Iterable[str] = APPS) -> list[str]:
    """Return ``TENANT_APPS``: Stripe's objects that a merchant has, all of them or `objects`, and the project's own."""
    return [*(app for app in objects if app not in SHARED_OBJECTS), *own]


def installed_apps(shared: list[str], tenant: list[str]) -> list[str]:
    """Return ``INSTALLED_APPS``."""
    return [*shared, *(app for app in tenant if app not in shared)]
