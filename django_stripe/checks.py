"""Owns the system checks of the mirror's settings and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import DEFAULT_DB_ALIAS, connections

from django_stripe.conf import mode_name, mode_of_key, setting
from django_stripe.registry import models_by_object


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Find settings under which the mirror would not work, or would do what nobody wants."""
    return [*_check_key(), *_check_limits(), *_check_database(), *_check_models()]


def _check_key() -> list[CheckMessage]:
    source = setting("STRIPE_API_KEY")
    if not source:
        return [
            Caution(
                "STRIPE_API_KEY is not set: nothing can be retrieved from Stripe.",
                hint="Set it to a secret or restricted key, to a callable, or to {'live': …, 'test': …}.",
                id="django_stripe.W001",
            )
        ]
    if isinstance(source, dict) and not source.keys() <= {"live", "test"}:
        return [
            Error(
                "STRIPE_API_KEY has keys other than 'live' and 'test'.",
                hint="Name the mode each key belongs to; connected accounts are named in the call, not here.",
                id="django_stripe.E002",
            )
        ]
    # A callable is not called: what it asks may not be there while the project is checked.
    keys = source.items() if isinstance(source, dict) else [("", source)]
    return [
        _wrong_key(f"STRIPE_API_KEY[{mode!r}]" if mode else "STRIPE_API_KEY")
        for mode, key in keys
        if not callable(key) and not _is_key_of(mode, key)
    ]


def _is_key_of(mode: str, key: object) -> bool:
    livemode = mode_of_key(key) if isinstance(key, str) else None
    return livemode is not None and mode in {"", mode_name(livemode)}


def _wrong_key(name: str) -> CheckMessage:
    return Error(
        f"{name} is no secret key of its mode.",
        hint="A secret key begins with sk_live_ or sk_test_, a restricted one with rk_live_ or rk_test_.",
        id="django_stripe.E001",
    )


def _check_limits() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    seconds, retries = setting("STRIPE_TIMEOUT_SECONDS"), setting("STRIPE_MAX_NETWORK_RETRIES")
    if not isinstance(seconds, int | float) or not 0 < seconds <= 80:
        messages.append(
            Error(
                "STRIPE_TIMEOUT_SECONDS is not between 0 and 80.",
                hint="Give the seconds after which a call to Stripe is given up; the default is 20.",
                id="django_stripe.E003",
            )
        )
    if not isinstance(retries, int) or retries < 0:
        messages.append(
            Error(
                "STRIPE_MAX_NETWORK_RETRIES is no whole number of 0 or more.",
                hint="The default is 2.",
                id="django_stripe.E004",
            )
        )
    return messages


def _check_database() -> list[CheckMessage]:
    if not settings.USE_TZ:
        return [
            Error(
                "USE_TZ is off: times without a zone cannot be compared with Stripe's.",
                hint="Set USE_TZ = True, Django's default.",
                id="django_stripe.E007",
            )
        ]
    if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        return []
    return [
        Error(
            "The default database is not PostgreSQL.",
            hint="The mirror is written by PostgreSQL's own means: set DATABASES['default'] to PostgreSQL 15 or later.",
            id="django_stripe.E005",
        )
    ]


def _check_models() -> list[CheckMessage]:
    return [
        Error(
            f"{model.__name__} has no unique constraint of (connect_account_id, livemode, stripe_id).",
            hint="Let its Meta inherit from AbstractStripeModel.Meta: without it, accounts overwrite each other.",
            obj=model,
            id="django_stripe.E006",
        )
        for model in models_by_object().values()
        if not any(
            getattr(c, "fields", None) == ("connect_account_id", "livemode", "stripe_id")
            for c in model._meta.constraints
        )
    ]
