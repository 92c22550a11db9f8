"""Owns finding holes in the wall: each is a sentence that says what, where, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import psycopg
from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from connect.context import EVERY_ACCOUNT, every_account
from tenants.catalog import (
    FOREIGN,
    FUNCTION,
    Found,
    Role,
    find_grants,
    find_key_readers,
    find_passages,
    find_role,
    find_shadows,
    find_tables,
    function_state,
    rows,
)
from tenants.conf import rls_binding
from tenants.functions import wall_fingerprint
from tenants.policies import SCHEMA, account_tables, quoted
from tenants.signature import SECONDS_MAX

INSTALL: Final = "Run `manage.py tenants_rls install` as the owner of the tables."
SERVE_AS_ANOTHER: Final = (
    "Serve as a role without; migrate through the entry of DATABASES that TENANTS_RLS_OWNER names."
)


def holes_in_tables(connection: BaseDatabaseWrapper, role: str) -> Iterator[str]:
    """Find tables that are not walled, or not as they are to be."""
    there = find_tables(connection, account_tables(), role)
    problem = function_state(connection, wall_fingerprint())
    if there and problem:
        yield f"The function {SCHEMA}.account() {problem}. {INSTALL}"
    for name, found in there.items():
        if not found.protected:
            yield f"Table {name} is not protected: row-level security is off. {INSTALL}"
        elif not found.forced:
            yield f"Table {name} is not protected from its owner {found.owner}: FORCE is off. {INSTALL}"
        yield from _wrong_policies(name, found)


def _wrong_policies(name: str, found: Found) -> Iterator[str]:
    for policy, problem in sorted(found.policies.items()):
        if problem:
            foreign = problem == FOREIGN
            remedy = f"DROP POLICY {quoted(policy)} ON {quoted(name)};" if foreign else INSTALL
            yield f"Policy {policy} of table {name} {problem}. {remedy}"


def holes_of_role(connection: BaseDatabaseWrapper, role: str) -> Iterator[str]:
    """Find why the wall would not hold `role`, and what leads it past the wall."""
    found = find_role(connection, role)
    if found is None:
        make = f"CREATE ROLE {quoted(role or 'app')} LOGIN PASSWORD '…';"
        yield f"There is no role {role!r}. Make it, then install: {make}"
        return
    powers = list(_powers(connection, found))
    # To a superuser all is granted and owned.
    yield from powers or [*_grants(connection, role), *_ways_round(connection, role)]


def _powers(connection: BaseDatabaseWrapper, role: Role) -> Iterator[str]:
    for name, held in role.powers.items():
        yield (
            f"Role {role.name} is {', '.join(held)}{_through(role.name, name)}, which leads past row-level security. "
            f"{SERVE_AS_ANOTHER}"
        )
    there = find_tables(connection, account_tables(), role.name)
    owned = sorted(name for name, found in there.items() if found.is_roles_own)
    if owned and not any("SUPERUSER" in held for held in role.powers.values()):
        yield (
            f"Role {role.name} owns {', '.join(owned)}, or is a member of the owner, who can take the wall down. "
            f"{SERVE_AS_ANOTHER}"
        )


def _grants(connection: BaseDatabaseWrapper, role: str) -> Iterator[str]:
    tables = account_tables()
    there = find_tables(connection, tables, role)
    for table in tables:
        wrong = find_grants(connection, table, role) if table.name in there else []
        if wrong:
            yield f"Role {role} {', '.join(wrong)} on table {table.name}. {INSTALL}"


def _ways_round(connection: BaseDatabaseWrapper, role: str) -> Iterator[str]:
    for privilege, place in find_shadows(connection, role):
        yield (
            f"Role {role} has {privilege} on {place}: it could put a table of its own in front of a real one. "
            f"REVOKE {privilege} ON {place} FROM PUBLIC, {quoted(role)};"
        )
    for name in find_passages(connection, account_tables(), role):
        yield (
            f"Role {role} can read {name}, which has rows of accounts and is not walled. "
            f"REVOKE ALL ON {name} FROM PUBLIC, {quoted(role)};"
        )
    for reader in find_key_readers(connection, role):
        through = _through(role, reader)
        revoke = f"REVOKE ALL ON {SCHEMA}.key FROM PUBLIC, {quoted(reader)};"
        yield f"Role {role} can read the key{through}, and so sign for any account. {revoke}"


def _through(role: str, other: str) -> str:
    return "" if other == role else f" through its membership in {other}"


def holes_in_connection(alias: str) -> Iterator[str]:
    """Find why what the site sends through the database `alias` would not be believed: a pooler, the key, a clock."""
    connection = connections[alias]
    if not rows(connection, FUNCTION, []):
        return  # which is a hole of the tables
    try:
        with transaction.atomic(alias):
            ((backend, now_unix),) = rows(
                connection, "SELECT pg_backend_pid(), extract(epoch FROM statement_timestamp())", []
            )
            with every_account():
                believed = rows(connection, f"SELECT {SCHEMA}.account()", [])
    except OperationalError as problem:
        if not isinstance(problem.__cause__, psycopg.errors.ProtocolViolation):
            raise
        yield (
            f"A pooler stands between the site and PostgreSQL that has no transactions ({problem}), as PgBouncer in "
            "statement mode. Let it pool transactions, or sessions."
        )
        return
    pooled = backend != connection.connection.info.backend_pid
    if pooled and rls_binding() == "backend":
        yield (
            "A pooler stands between the site and PostgreSQL, and the signatures name a backend that is not "
            "there: every query finds nothing. Set TENANTS_RLS_BINDING = 'time', and install again."
        )
    elif believed != [(EVERY_ACCOUNT.value,)]:
        seconds = SECONDS_MAX.get(rls_binding(), 0)
        yield (
            "PostgreSQL does not believe what the site signs: every query finds nothing. The clocks may be more "
            f"than {seconds} s apart (PostgreSQL's says {now_unix:.0f}), or the key is another. "
            f"{INSTALL}"
        )
    if pooled and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        yield (
            "A pooler stands between the site and PostgreSQL, and cursors in the server would be asked for rows on "
            "another connection. Set DISABLE_SERVER_SIDE_CURSORS = True in DATABASES."
        )
