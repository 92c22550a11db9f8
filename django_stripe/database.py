"""Owns which database holds the mirror and the inbox: one and the same, for they are written together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from django.db.backends.postgresql.base import DatabaseWrapper

ALIAS: Final = DEFAULT_DB_ALIAS
"""Said in every query: a router may send reads to a replica, which does not know yet what was just written."""


def connection() -> DatabaseWrapper:
    """Return this thread's connection to it."""
    return connections[ALIAS]  # type: ignore[return-value]


BinaryCursor = type[psycopg.Cursor[Any]]

_binary_cursors: list[BinaryCursor] = [psycopg.Cursor]


def write_with(cursor: BinaryCursor) -> None:
    """Let the mirror's own SQL, which goes past Django's cursors, be sent by cursors of this class."""
    _binary_cursors[:] = [cursor]


def binary_cursor() -> psycopg.Cursor[Any]:
    """Return a cursor that sends parameters in binary; Django's own bind them on the client, as text."""
    wrapper = connection()
    wrapper.ensure_connection()
    return _binary_cursors[0](wrapper.connection)
