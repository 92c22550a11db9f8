"""Owns which database holds the mirror and the inbox: one and the same, for they are written together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from django.db.backends.postgresql.base import DatabaseWrapper

ALIAS: Final = DEFAULT_DB_ALIAS
"""Said in every query: a router may send reads to a replica, which does not know yet what was just written."""


def connection() -> DatabaseWrapper:
    """Return this thread's connection to it."""
    return connections[ALIAS]  # type: ignore[return-value]
