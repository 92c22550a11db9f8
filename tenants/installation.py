"""Owns putting the wall up and taking it down: key, function, policies, and what the serving role may do."""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.recorder import MigrationRecorder

from tenants.catalog import (
    FUNCTION,
    POLICIES,
    find_key_names,
    find_role,
    find_shadows,
    find_tables,
    function_state,
    rows,
)
from tenants.conf import rls_secrets
from tenants.functions import ACCOUNT, BLOCK, functions_sql, wall_fingerprint
from tenants.policies import (
    SCHEMA,
    AccountTable,
    Policy,
    account_tables,
    fingerprint,
    other_tables,
    quoted,
)
from tenants.signature import key_name, padded, rls_key

KEY_TABLE: Final = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.key (
    name text NOT NULL UNIQUE, inner_block bytea NOT NULL, outer_block bytea NOT NULL
);
REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC;
"""

# Counted keys of an identity need no right to the sequence, which would tell how many rows there are.
SEQUENCES: Final = """
SELECT pg_get_serial_sequence(%s, attname) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attidentity = ''
    AND pg_get_serial_sequence(%s, attname) IS NOT NULL
"""

SCHEMAS: Final = """
SELECT DISTINCT relnamespace::regnamespace::text
FROM unnest(%s::text[]) AS asked (quoted) JOIN pg_class ON pg_class.oid = to_regclass(asked.quoted)
"""


OWNS: Final = {
    "DATABASE": "SELECT 1 FROM pg_database WHERE quote_ident(datname) = %s AND pg_has_role(datdba, 'USAGE')",
    "SCHEMA": "SELECT 1 FROM pg_namespace WHERE quote_ident(nspname) = %s AND pg_has_role(nspowner, 'USAGE')",
}


class CannotInstall(RuntimeError):
    """The wall cannot be put up like this. The command shows its text, which says what to do."""


def install(connection: BaseDatabaseWrapper, role: str) -> list[str]:
    """Put the wall up for `role`, in one transaction; return what is walled.

    Run it as the owner of the tables after every migration: what is as it is to be is left alone, and only what
    is not takes a lock on its table. Raises CannotInstall for a role that no wall holds.
    """
    with transaction.atomic(connection.alias):
        _refuse(connection, role)
        _install_key(connection, role)
        tables = account_tables()
        there = find_tables(connection, tables, role)
        walled = [table for table in tables if table.name in there]
        for table in walled:
            found = there[table.name]
            if not (found.protected and found.forced):
                _run(connection, f"ALTER TABLE {table.quoted} ENABLE ROW LEVEL SECURITY")
                _run(connection, f"ALTER TABLE {table.quoted} FORCE ROW LEVEL SECURITY")
            for policy in table.policies():
                if found.policies[policy.name]:
                    _replace(connection, table, policy)
            _grant(connection, table.quoted, role, table.written)
        others = [
            quoted(name) for name in [*other_tables(), MigrationRecorder.Migration._meta.db_table]
        ]
        for name in others:
            if rows(connection, "SELECT 1 WHERE to_regclass(%s) IS NOT NULL", [name]):
                _grant(connection, name, role)
        everything = [*(table.quoted for table in walled), *others]
        for (schema,) in rows(connection, SCHEMAS, [everything]):
            _run(connection, f"GRANT USAGE ON SCHEMA {schema} TO {quoted(role)}")
        _revoke_shadows(connection, role)
    return [table.name for table in walled]


def uninstall(connection: BaseDatabaseWrapper) -> list[str]:
    """Take the wall down, and the key with it; return the tables that have none any more. Grants stay."""
    names = []
    with transaction.atomic(connection.alias):
        tables = account_tables()
        for table in tables:
            installed = {name for _, name, *_ in rows(connection, POLICIES, [[table.quoted]])}
            ours = installed & {policy.name for policy in table.policies()}
            for policy in sorted(ours):
                _run(connection, f"DROP POLICY {quoted(policy)} ON {table.quoted}")
            if ours:
                _run(connection, f"ALTER TABLE {table.quoted} NO FORCE ROW LEVEL SECURITY")
                _run(connection, f"ALTER TABLE {table.quoted} DISABLE ROW LEVEL SECURITY")
                names.append(table.name)
        _run(connection, f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
    return names


def _refuse(connection: BaseDatabaseWrapper, role: str) -> None:
    found = find_role(connection, role)
    if found is None:
        raise CannotInstall(
            f"There is no role {role!r}. Make it first: CREATE ROLE {quoted(role or 'app')} LOGIN PASSWORD '…';"
        )
    owned = [
        name
        for name, table in find_tables(connection, account_tables(), role).items()
        if table.is_roles_own
    ]
    if found.powers or owned:
        powers = [f"{', '.join(held)} by {name}" for name, held in found.powers.items()]
        raise CannotInstall(
            f"No wall holds the role {role!r}: it has {'; '.join([*powers, *owned[:1]])}. Serve as a role that "
            "owns no table, is a member of none that does, and has none of these."
        )


def _install_key(connection: BaseDatabaseWrapper, role: str) -> None:
    """Keep the keys where their owner alone can read them, and the function that checks signatures with them."""
    _run(connection, KEY_TABLE)
    keys = {key_name(key): padded(key) for key in map(rls_key, rls_secrets())}
    source = wall_fingerprint()
    if function_state(connection, source) or find_key_names(connection) != sorted(keys):
        _run(connection, "DELETE FROM tenants_rls.key")
        for name, blocks in keys.items():
            _run(connection, "INSERT INTO tenants_rls.key VALUES (%s, %s, %s)", [name, *blocks])
        # What they name is bound when they are made.
        ((path,),) = rows(connection, "SELECT current_setting('search_path')", [])
        _run(connection, "SET LOCAL search_path = pg_catalog")
        for function in functions_sql(keys):
            _run(connection, function)
        _run(connection, "SELECT set_config('search_path', %s, true)", [path])
        ((_, text),) = rows(connection, FUNCTION, [])
        mark = f"{source} {fingerprint(text)}"
        _run(connection, f"COMMENT ON FUNCTION {ACCOUNT} IS '{mark}'")
    _run(connection, f"REVOKE ALL ON {SCHEMA}.key FROM PUBLIC, {quoted(role)}")
    _run(connection, f"REVOKE ALL ON FUNCTION {ACCOUNT}, {BLOCK} FROM PUBLIC, {quoted(role)}")
    _run(connection, f"GRANT USAGE ON SCHEMA {SCHEMA} TO {quoted(role)}")
    _run(connection, f"GRANT EXECUTE ON FUNCTION {ACCOUNT} TO {quoted(role)}")


def _replace(connection: BaseDatabaseWrapper, table: AccountTable, policy: Policy) -> None:
    """Write a policy anew, and beside it what it was written as and what PostgreSQL made of that."""
    using = f" USING ({policy.using})" if policy.using else ""
    check = f" WITH CHECK ({policy.check})" if policy.check else ""
    on = f"{policy.name} ON {table.quoted}"
    _run(connection, f"DROP POLICY IF EXISTS {on}")
    _run(connection, f"CREATE POLICY {on} FOR {policy.command}{using}{check}")
    texts = {name: text for _, name, _, _, text in rows(connection, POLICIES, [[table.quoted]])}
    mark = f"{policy.fingerprint()} {fingerprint(texts[policy.name])}"
    _run(connection, f"COMMENT ON POLICY {on} IS '{mark}'")


def _grant(
    connection: BaseDatabaseWrapper, table: str, role: str, written: list[str] | None = None
) -> None:
    """Let `role` read and write `table`, of which only the columns `written`; and nobody in passing, or more."""
    columns = f"({', '.join(map(quoted, written))})" if written is not None else ""
    grantee = quoted(role)
    _run(connection, f"REVOKE ALL ON {table} FROM PUBLIC, {grantee}")
    _run(
        connection,
        f"GRANT SELECT, DELETE, INSERT {columns}, UPDATE {columns} ON {table} TO {grantee}",
    )
    for (sequence,) in rows(connection, SEQUENCES, [table] * 3):
        _run(connection, f"GRANT USAGE ON SEQUENCE {sequence} TO {grantee}")


def _revoke_shadows(connection: BaseDatabaseWrapper, role: str) -> None:
    """Take from everybody what everybody has by default, as far as it is ours to take; `check` names the rest."""
    for privilege, place in find_shadows(connection, role):
        if rows(connection, OWNS[place.split()[0]], [place.split(maxsplit=1)[1]]):
            _run(connection, f"REVOKE {privilege} ON {place} FROM PUBLIC, {quoted(role)}")


def _run(connection: BaseDatabaseWrapper, sql: str, parameters: Any = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
