"""Owns the settings of the webhooks: read at call time."""

from __future__ import annotations

import re
from typing import Any, Final

from django.conf import settings

SNAPSHOT_ENDPOINTS: Final = ("platform", "connect")
THIN: Final = "thin"
ENDPOINTS: Final = (*SNAPSHOT_ENDPOINTS, THIN)
POLICIES: Final = ("accept", "park", "ignore")
PROCESSING: Final = ("inline", "worker")

# Stripe's own are of letters and digits alone: words put together with _ or - were put there by a person.
SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=]{16,}")
RETENTION_DAYS_MIN: Final = 30
RETENTION_DAYS: Final = 90
DISTINCT_CHARACTERS_MIN: Final = 8
HEALTH_TOKEN_LENGTH_MIN: Final = 20
HEALTH_LAG_SECONDS: Final = 300


def webhook_secrets(endpoint: str) -> list[str]:
    """Return the signing secrets of `endpoint` that are real ones; several while they are rotated."""
    return [secret for secret in configured_secrets(endpoint) if is_usable(secret)]


def configured_secrets(endpoint: str) -> list[Any]:
    """Return what ``STRIPE_WEBHOOK_SECRETS`` says of `endpoint`, usable or not."""
    secrets = getattr(settings, "STRIPE_WEBHOOK_SECRETS", {}).get(endpoint, [])
    return [secrets] if isinstance(secrets, str) else list(secrets or [])


def is_usable(secret: object) -> bool:
    """Say whether `secret` is one of Stripe's, not empty and not a placeholder."""
    return (
        isinstance(secret, str)
        and SECRET.fullmatch(secret) is not None
        and len(set(secret.removeprefix("whsec_"))) >= DISTINCT_CHARACTERS_MIN
    )


def livemode_policy(endpoint: str) -> str:
    """Return what to do with events of a mode there is no key for: accept, park (the default) or ignore.

    A live endpoint for connected accounts is sent test events too. https://docs.stripe.com/connect/webhooks
    """
    policy = getattr(settings, "CONNECT_LIVEMODE_POLICY", "park")
    return str(policy.get(endpoint, "park") if isinstance(policy, dict) else policy)


def processes_inline() -> bool:
    """Say whether an event is processed in the request that brought it, after it was stored."""
    return str(getattr(settings, "CONNECT_PROCESSING", "inline")) == "inline"


def base_url() -> str:
    """Return where Stripe reaches the project: ``"https://shop.example"``; "" where nobody said."""
    return str(getattr(settings, "CONNECT_BASE_URL", "") or "")


def wake_up_path() -> str:
    """Return the path of what is called when an event was stored that a worker is to process; "" for nothing."""
    return str(getattr(settings, "CONNECT_WAKE_UP", "") or "")


def retention_days() -> int:
    """Return after how many days an event that is done is deleted from the inbox."""
    return int(getattr(settings, "CONNECT_INBOX_RETENTION_DAYS", RETENTION_DAYS))


def health_token() -> str | None:
    """Return the token that the health view asks for; None: there is none, or one that could be guessed."""
    token = getattr(settings, "CONNECT_HEALTH_TOKEN", None)
    return token if isinstance(token, str) and len(token) >= HEALTH_TOKEN_LENGTH_MIN else None


def health_lag_seconds() -> float:
    """Return how long an event may wait before the health view answers 503."""
    return float(getattr(settings, "CONNECT_HEALTH_LAG_SECONDS", HEALTH_LAG_SECONDS))
