"""Owns how Stripe writes JSON, in answers and in webhooks alike: indented, and not escaped beyond need."""

from __future__ import annotations

import json
from typing import Any


def payload(value: dict[str, Any]) -> str:
    """Return `value` as Stripe sends it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
