"""Every statement that a process sends, with what it was sent with, and which function of ours asked for it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections
from django.db.backends.signals import connection_created

from django_stripe.database import binary_cursor, write_with

ROOT = Path(__file__).parents[3]
OURS = tuple(
    str(ROOT / package) for package in ("django_stripe", "connect", "tenants", "example_platform")
)
# They pass on what others ask for.
BETWEEN = ("upsert.py", "database.py", "cursors.py", "querysets.py")
# One statement is sent with one row and with many; a few forms of it are enough.
FORMS_MAX = 3

sent: dict[tuple[str, str], list[str]] = {}
"""(function, statement) → the statement with its values, a few times."""


def record() -> None:
    """Record from now on, on connections that are opened later."""
    connection_created.connect(_record_on, dispatch_uid="tests.recorder")
    write_with(_recording(type(binary_cursor())))
    for connection in connections.all(initialized_only=True):
        connection.close()


def _record_on(connection: Any, **kwargs: Any) -> None:
    raw = connection.connection
    raw.cursor_factory = _recording(raw.cursor_factory)
    raw.server_cursor_factory = _recording(raw.server_cursor_factory)


class Recording:
    """Mixed into a class of psycopg's cursors."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        self._note(query, params)
        return super().execute(query, params, **options)  # type: ignore[misc]

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        rows = list(params_seq)
        for params in rows[:1]:
            self._note(query, params)
        super().executemany(query, rows, **options)  # type: ignore[misc]

    def _note(self, query: Any, params: Any) -> None:
        text = (
            query
            if isinstance(query, str)
            else query.as_string(self)
            if hasattr(query, "as_string")
            else query.decode()
        )
        forms = sent.setdefault((_who(), text), [])
        if len(forms) < FORMS_MAX:
            raw = self.connection  # type: ignore[attr-defined]
            forms.append(psycopg.ClientCursor(raw).mogrify(text, params) if params else text)


@cache
def _recording(kind: Any) -> Any:
    return type(f"Recording{kind.__name__}", (Recording, kind), {})


def _who() -> str:
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(OURS) and not code.co_filename.endswith(BETWEEN):
            path = Path(code.co_filename).relative_to(ROOT).with_suffix("")
            return f"{'.'.join(path.parts)}.{code.co_qualname.replace('.<locals>', '')}"
        frame = frame.f_back  # type: ignore[assignment]
    return ""
