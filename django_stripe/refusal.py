"""Owns what PostgreSQL cannot store: told apart from what is wrong with the database or with us."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DatabaseError


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
        message += " (PostgreSQL's jsonb holds no \\u0000)"
    return f"{message} [{error.sqlstate or type(error).__name__}]"
