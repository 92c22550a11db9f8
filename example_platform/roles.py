"""Owns the role that serves the shop where rows are kept apart: it owns no table, and so the wall holds it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SUFFIX: Final = "_site"


@contextlib.contextmanager
def serving_role(owner_url: str, *, stays: bool) -> Iterator[str]:
    """Make the role that serves the database of `owner_url`, with a new password; yield its own URL.

    `stays`: it is there after the block too.
    """
    name = f"{conninfo_to_dict(owner_url)['dbname']}{SUFFIX}"
    password = secrets.token_urlsafe(24)
    role = sql.Identifier(name)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        is_there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        verb = sql.SQL("ALTER ROLE {}" if is_there is not None else "CREATE ROLE {}").format(role)
        connection.execute(sql.SQL("{} LOGIN PASSWORD {}").format(verb, sql.Literal(password)))
        # A superuser may hide what the role's sessions run from each other; a check says so where it is not hidden.
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("ALTER ROLE {} SET track_activities = off").format(role))
    try:
        yield make_conninfo(owner_url, user=name, password=password)
    finally:
        if not stays:
            with psycopg.connect(owner_url, autocommit=True) as connection:
                # What it was granted, too.
                connection.execute(sql.SQL("DROP OWNED BY {}; DROP ROLE {}").format(role, role))
