"""Owns the system checks of the webhooks' settings: nothing that fails open starts up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.utils.module_loading import import_string

from connect import conf


def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Find settings under which events would be refused, believed without proof, or left lying."""
    return [
        *_check_secrets(),
        *_check_policy(),
        *_check_processing(),
        *_check_wake_up(),
        *_check_retention(),
        *_check_health(),
    ]


def _check_secrets() -> list[CheckMessage]:
    secrets = getattr(settings, "STRIPE_WEBHOOK_SECRETS", {})
    hint = 'Give each endpoint its list: {"platform": ["whsec_…"], "connect": ["whsec_…"]}.'
    if not isinstance(secrets, dict):
        return [Error("STRIPE_WEBHOOK_SECRETS is no dict.", hint=hint, id="connect.E001")]
    messages: list[CheckMessage] = [
        Error(
            f"STRIPE_WEBHOOK_SECRETS names an unknown endpoint: {endpoint!r}.",
            hint=f"The endpoints are {', '.join(conf.ENDPOINTS)}.",
            id="connect.E002",
        )
        for endpoint in secrets
        if endpoint not in conf.ENDPOINTS
    ]
    for endpoint in conf.ENDPOINTS:
        if any(not conf.is_usable(secret) for secret in conf.configured_secrets(endpoint)):
            messages.append(
                Error(
                    f"STRIPE_WEBHOOK_SECRETS[{endpoint!r}] has an empty secret, or a placeholder.",
                    hint="Take the endpoint's signing secret from Stripe (whsec_…), or leave the endpoint out.",
                    id="connect.E003",
                )
            )
    if not any(map(conf.configured_secrets, conf.ENDPOINTS)):
        messages.append(
            Caution(
                "STRIPE_WEBHOOK_SECRETS is not set: every webhook is refused.",
                hint=hint,
                id="connect.W001",
            )
        )
    return messages


def _check_policy() -> list[CheckMessage]:
    policy = getattr(settings, "CONNECT_LIVEMODE_POLICY", "park")
    policies = policy if isinstance(policy, dict) else dict.fromkeys(conf.ENDPOINTS, policy)
    return [
        Error(
            f"CONNECT_LIVEMODE_POLICY of {endpoint!r} is {value!r}.",
            hint=f"The policies are {', '.join(conf.POLICIES)}; the endpoints {', '.join(conf.ENDPOINTS)}.",
            id="connect.E004",
        )
        for endpoint, value in policies.items()
        if value not in conf.POLICIES or endpoint not in conf.ENDPOINTS
    ]


def _check_processing() -> list[CheckMessage]:
    value = getattr(settings, "CONNECT_PROCESSING", "inline")
    if value in conf.PROCESSING:
        return []
    return [
        Error(
            f"CONNECT_PROCESSING is {value!r}.",
            hint="Set it to 'inline' (in the request, after the event is stored) or 'worker'.",
            id="connect.E005",
        )
    ]


def _check_wake_up() -> list[CheckMessage]:
    path = conf.wake_up_path()
    if not path:
        return []
    try:
        found = import_string(path)
    except ImportError as error:
        found, problem = None, str(error)
    else:
        problem = "It is not callable."
    if callable(found):
        return []
    return [
        Error(
            f"CONNECT_WAKE_UP is {path!r}, which cannot be called.",
            hint=f"{problem} Name a function, such as connect.wake_ups.celery.wake_up.",
            id="connect.E009",
        )
    ]


def _check_health() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    token = getattr(settings, "CONNECT_HEALTH_TOKEN", None)
    if token and conf.health_token() is None:
        messages.append(
            Error(
                f"CONNECT_HEALTH_TOKEN is no text of at least {conf.HEALTH_TOKEN_LENGTH_MIN} characters.",
                hint="Make one with `python -c 'import secrets; print(secrets.token_urlsafe())'`, or leave it out: "
                "the health view is then for staff alone.",
                id="connect.E006",
            )
        )
    lag = getattr(settings, "CONNECT_HEALTH_LAG_SECONDS", conf.HEALTH_LAG_SECONDS)
    if isinstance(lag, bool) or not isinstance(lag, int | float) or not lag > 0:
        messages.append(
            Error(
                f"CONNECT_HEALTH_LAG_SECONDS is {lag!r}.",
                hint="Set it to a number of seconds, such as 300.",
                id="connect.E007",
            )
        )
    return messages


def _check_retention() -> list[CheckMessage]:
    days = getattr(settings, "CONNECT_INBOX_RETENTION_DAYS", conf.RETENTION_DAYS)
    if isinstance(days, int) and days >= conf.RETENTION_DAYS_MIN:
        return []
    return [
        Error(
            f"CONNECT_INBOX_RETENTION_DAYS is {days!r}.",
            hint=f"Set it to a whole number, {conf.RETENTION_DAYS_MIN} or more: so many days Stripe can send an event "
            "again, which would then be a new one.",
            id="connect.E008",
        )
    ]
