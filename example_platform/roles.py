"""Owns the roles that log in to the database and own no table: one that serves the shop, and one to measure with."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SUFFIX: Final = "_site"


@contextlib.contextmanager
def serving_role(owner_url: str, *, stays: bool) -> Iterator[str]:
    """Make the role that serves the database of `owner_url`; yield its own URL. `stays`: it is there afterwards too."""
    name = f"{conninfo_to_dict(owner_url)['dbname']}{SUFFIX}"
    with role(owner_url, name, stays=stays) as url:
        # A superuser may hide what the role's sessions run from each other; a check says so where it is not hidden.
        with (
            psycopg.connect(owner_url, autocommit=True) as connection,
            contextlib.suppress(psycopg.errors.InsufficientPrivilege),
        ):
            statement = sql.SQL("ALTER ROLE {} SET track_activities = off")
            connection.execute(statement.format(sql.Identifier(name)))
        yield url


@contextlib.contextmanager
def role(
    owner_url: str, name: str, attributes: LiteralString = "", *, stays: bool
) -> Iterator[str]:
    """Make a role that logs in, with a new password; yield its own URL. Without `stays` it goes, with its grants."""
    password = secrets.token_urlsafe(24)
    identifier = sql.Identifier(name)
    with psycopg.connect(owner_url, autocommit=True) as connection:
        is_there = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        verb = sql.SQL("ALTER" if is_there is not None else "CREATE")
        statement = sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}")
        parts = verb, identifier, sql.SQL(attributes), sql.Literal(password)
        connection.execute(statement.format(*parts))
    try:
        yield make_conninfo(owner_url, user=name, password=password)
    finally:
        if not stays:
            with psycopg.connect(owner_url, autocommit=True) as connection:
                for drop in ("DROP OWNED BY {}", "DROP ROLE {}"):
                    connection.execute(sql.SQL(drop).format(identifier))
