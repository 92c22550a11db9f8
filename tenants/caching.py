"""Owns cache keys: what was stored for one merchant is found by that merchant alone."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from connect.context import EVERY_ACCOUNT, reach

# What no account's id can be: the first is sent through `quote`, which leaves neither of them alone.
PLATFORM: Final = "@"
EVERYBODY: Final = "*"
NOBODY: Final = "!"


def make_key(key: str, key_prefix: str, version: int) -> str:
    """Return the key in the cache of `key` in this context: ``CACHES = {"default": {"KEY_FUNCTION": …}}``.

    ``"tenants.caching.make_key"``. What is stored outside of any context is found there alone, so that what the
    site keeps about no merchant, such as sessions, may be in the same cache.
    https://docs.djangoproject.com/en/stable/topics/cache/#cache-key-transformation
    """
    return f"{_whose()}:{key_prefix}:{version}:{key}"


def reverse_key(key: str) -> str:
    """Return the key that `make_key` made `key` of; for django-redis, as ``REVERSE_KEY_FUNCTION``."""
    return key.split(":", 3)[3]


def _whose() -> str:
    reached = reach()
    if reached is None:
        return NOBODY
    if reached is EVERY_ACCOUNT:
        return EVERYBODY
    return quote(reached, safe="") if reached else PLATFORM
