"""Owns the settings of the tenants: read at call time."""

from __future__ import annotations

from typing import Any, Final, Literal

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_stripe.database import ALIAS

BINDINGS: Final = ("backend", "time")
WAYS: Final = ("subdomain", "path", "header")
Binding = Literal["backend", "time"]


def isolation() -> Any:
    """Return ``TENANTS_ISOLATION``: how merchants are kept apart in the database, or None if they are not."""
    return getattr(settings, "TENANTS_ISOLATION", None)


def rls_secrets() -> list[str]:
    """Return the secrets that accounts are signed with: the first signs, the others are believed while they rotate."""
    secret = getattr(settings, "TENANTS_RLS_KEY", None)
    if secret is None:
        return [str(known) for known in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]
    return [secret, *getattr(settings, "TENANTS_RLS_KEY_FALLBACKS", [])]


def citus() -> bool:
    """Return ``TENANTS_CITUS``: whether the tables are, or are to be, spread over the nodes of Citus."""
    return bool(getattr(settings, "TENANTS_CITUS", False))


def rls_binding() -> Any:
    """Return what a signature is good for: this connection's backend (the default), or a short time on any.

    On Citus it is the latter: a worker checks it in a backend of its own.
    """
    return getattr(settings, "TENANTS_RLS_BINDING", "time" if citus() else "backend")


def owner_alias() -> str:
    """Return the entry of ``DATABASES`` that logs in as the owner of the tables, to migrate and to install the wall."""
    return str(getattr(settings, "TENANTS_RLS_OWNER", None) or ALIAS)


def serving_role() -> str:
    """Return the role that the site logs in as; empty if the settings leave it to libpq."""
    named = getattr(settings, "TENANTS_RLS_ROLE", None)
    return str(named or connections[ALIAS].settings_dict["USER"])


def spellings(config: AppConfig) -> set[str]:
    """Return how an app may be named in a list of apps: by its module, or by the class of its configuration."""
    return {config.name, f"{type(config).__module__}.{type(config).__name__}"}


def tenant_labels() -> set[str]:
    """Return the labels of the apps of ``TENANT_APPS``: every merchant has tables of them."""
    listed = set(getattr(settings, "TENANT_APPS", ()))
    return {config.label for config in apps.get_app_configs() if spellings(config) & listed}


def resolve_by() -> Any:
    """Return by what a request names its merchant: ``"subdomain"``, ``"path"`` or ``"header"``."""
    return getattr(settings, "TENANTS_RESOLVE_BY", "subdomain")


def path_prefix() -> str:
    """Return what is before the account in a path: ``"m"``, as in ``/m/acct_…/``."""
    return str(getattr(settings, "TENANTS_PATH_PREFIX", "m")).strip("/")


def account_header() -> str:
    """Return the header that names the account."""
    return str(getattr(settings, "TENANTS_ACCOUNT_HEADER", "Connect-Account"))


def platform_hosts() -> list[str]:
    """Return the hosts at which a request that names no merchant is the platform's, as ``ALLOWED_HOSTS`` says them."""
    return [str(host) for host in getattr(settings, "TENANTS_PLATFORM_HOSTS", [])]


def may_enter_path() -> str:
    """Return the path of the function that says who may be served as which merchant. Raises ImproperlyConfigured."""
    path = getattr(settings, "TENANTS_MAY_ENTER", None)
    if not isinstance(path, str) or not path:
        raise ImproperlyConfigured(
            "TENANTS_MAY_ENTER is not set: a request names its merchant, and nobody says whether the sender may. Name "
            "a function of (request, merchant), or 'tenants.middleware.anyone' for pages that everybody sees."
        )
    return path
