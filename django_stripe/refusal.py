"""Owns what PostgreSQL cannot store: told apart from what is wrong with the database or with us."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import orjson
import psycopg
from django.db import DatabaseError

NO_NUL: Final = "(PostgreSQL's jsonb holds no \\u0000)"
# One escape after the other, for `\\u0000` is none of these; a pair of surrogates is one.
ESCAPE: Final = re.compile(
    r"\\(?:(?P<nul>u0000)|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F])|.)",
    re.DOTALL,
)


class PayloadRefused(ValueError):
    """PostgreSQL cannot store this object; the row is as it was. The message says why, and quotes nothing."""


@contextmanager
def payload_refused() -> Iterator[None]:
    """Raise PayloadRefused where a statement fails because of the JSON it was given."""
    try:
        yield
    except (DatabaseError, psycopg.DataError) as error:
        cause = error.__cause__ if isinstance(error, DatabaseError) else error
        if not isinstance(cause, psycopg.Error) or not _is_of_the_payload(cause):
            raise
        raise PayloadRefused(_reason(cause)) from None


def _is_of_the_payload(error: psycopg.Error) -> bool:
    """PostgreSQL's classes 22 (data) and 54 (limits), and what psycopg refuses to send."""
    return (error.sqlstate or "")[:2] in {"22", "54"} or isinstance(error, psycopg.DataError)


def _reason(error: psycopg.Error) -> str:
    """Say what PostgreSQL said, up to where it would quote the payload."""
    message = (error.diag.message_primary or str(error)).split(":")[0].split('"')[0].strip()
    if error.sqlstate == "22P05":
        message += f" {NO_NUL}"
    return f"{message} [{error.sqlstate or type(error).__name__}]"


def certain_refusal(payload: str) -> str | None:
    """Return why PostgreSQL is going to refuse this JSON; None: that is for PostgreSQL to say.

    Refused in a batch, a payload costs the others their write, and with one in a hundred that is every batch.
    These two kinds come from whoever fills in a form at the merchant's. Almost no payload has an escape.
    """
    if "\\" not in payload or "\\u" not in payload:
        return None
    for escape in ESCAPE.finditer(payload):
        if escape["nul"]:
            return f"unsupported Unicode escape sequence {NO_NUL} [22P05]"
        if escape["lone"]:
            return "invalid input syntax for type json (half of a surrogate pair) [22P02]"
    return None


def is_suspect(payload: str) -> bool:
    """Say whether a stricter reader than PostgreSQL refuses this JSON: to look there first for what is at fault."""
    try:
        orjson.loads(payload)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return True
    return False
