"""Owns the system check of TENANTS_ISOLATION: nobody is to believe in a wall that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error


def check_isolation(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse every value that is not built."""
    value = getattr(settings, "TENANTS_ISOLATION", None)
    if value is None:
        return []
    return [
        Error(
            f"TENANTS_ISOLATION is {value!r}, which this release does not provide.",
            hint="Leave it at None: rows are keyed by account, and no wall in the database keeps merchants apart yet.",
            id="tenants.E001",
        )
    ]
