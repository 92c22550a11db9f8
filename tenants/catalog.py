"""Owns what the database says of itself: which tables are walled, by which policies, and what a role may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from tenants.policies import COLUMN, AccountTable, fingerprint, quoted

TABLES: Final = """
SELECT asked.quoted, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity,
    coalesce(pg_has_role((SELECT oid FROM pg_roles WHERE rolname = %s), relowner, 'MEMBER'), false)
FROM unnest(%s::text[]) AS asked (quoted) JOIN pg_class ON pg_class.oid = to_regclass(asked.quoted)
"""

POLICIES: Final = """
SELECT asked.quoted, polname, polpermissive, coalesce(obj_description(pg_policy.oid, 'pg_policy'), ''),
    concat_ws(' ', polcmd, pg_get_expr(polqual, polrelid), '/', pg_get_expr(polwithcheck, polrelid), polroles::text)
FROM unnest(%s::text[]) AS asked (quoted) JOIN pg_policy ON polrelid = to_regclass(asked.quoted)
"""

FOREIGN: Final = "is none of ours, and lets more through"

# By what it is named: to look it up would take the right to.
FUNCTION: Final = """
SELECT coalesce(max(obj_description(pg_proc.oid, 'pg_proc')), ''),
    string_agg(pg_get_functiondef(pg_proc.oid) || prosecdef || pg_get_userbyid(proowner), ' ' ORDER BY proname)
FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE nspname = 'tenants_rls' HAVING bool_or(proname = 'account')
"""

KEY_IS_THERE: Final = "SELECT 1 WHERE to_regclass('tenants_rls.key') IS NOT NULL"

KEY_READER: Final = """
SELECT rolname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
JOIN pg_roles ON pg_has_role(%s, pg_roles.oid, 'MEMBER')
WHERE nspname = 'tenants_rls' AND relname = 'key' AND has_any_column_privilege(pg_roles.oid, pg_class.oid, 'SELECT')
ORDER BY rolname <> %s, rolname
"""

# A role is what it is a member of: it may become that, and so may whoever injects SQL.
ROLES: Final = """
SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolreplication,
    starts_with(rolname, 'pg_') AND rolname <> 'pg_database_owner'
FROM pg_roles WHERE pg_has_role(%s, oid, 'MEMBER') ORDER BY rolname <> %s, rolname
"""

# A table of one's own in front of the real one takes in what the next user of the connection writes.
SHADOWS: Final = """
SELECT 'TEMPORARY', format('DATABASE %%I', current_database())
WHERE has_database_privilege(%s, current_database(), 'TEMPORARY')
UNION ALL
SELECT 'CREATE', format('DATABASE %%I', current_database())
WHERE has_database_privilege(%s, current_database(), 'CREATE')
UNION ALL
SELECT 'CREATE', format('SCHEMA %%I', nspname) FROM pg_namespace
WHERE NOT starts_with(nspname, 'pg_') AND has_schema_privilege(%s, oid, 'CREATE')
"""

# What shows rows past the policies: foreign tables, materialized views, views of roles that are shown everything.
PASSAGES: Final = """
SELECT pg_class.oid::regclass::text
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = %s AND NOT attisdropped
WHERE relpersistence <> 't' AND has_any_column_privilege(%s, pg_class.oid, 'SELECT')
    AND (relkind IN ('m', 'f') OR relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)
        OR relkind = 'v' AND coalesce(array_to_string(reloptions, ','), '') !~ 'security_invoker=(true|on|1)'
        AND (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE pg_roles.oid = relowner))
    AND pg_class.oid <> ALL (SELECT to_regclass(quoted) FROM unnest(%s::text[]) AS walled (quoted))
ORDER BY 1
"""

PRIVILEGES: Final = """
SELECT privilege, has_table_privilege(%s, to_regclass(%s), privilege)
FROM unnest(ARRAY['SELECT', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS all_of_them (privilege)
"""

COLUMNS: Final = """
SELECT attname, has_column_privilege(%s, attrelid, attnum, 'INSERT')::int
    + has_column_privilege(%s, attrelid, attnum, 'UPDATE')::int
FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A table as it is in the database."""

    owner: str
    protected: bool
    forced: bool
    is_roles_own: bool
    policies: dict[str, str] = field(default_factory=dict)
    """A policy's name → "" for one as it is to be installed, or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and what it can become."""

    name: str
    powers: dict[str, list[str]]
    """The name of itself or a role it is a member of → what is too much: ``["SUPERUSER"]``."""


def rows(connection: BaseDatabaseWrapper, sql: str, parameters: Iterable[Any]) -> list[Any]:
    """Return what `sql` answers."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return list(cursor.fetchall())


def find_tables(
    connection: BaseDatabaseWrapper, tables: Iterable[AccountTable], role: str
) -> dict[str, Found]:
    """Return those of `tables` that are there, by name; the others are not migrated."""
    by_quoted = {table.quoted: table for table in tables}
    found = {
        by_quoted[table].name: Found(*state)
        for table, *state in rows(connection, TABLES, [role, [*by_quoted]])
    }
    wanted = {
        (table.name, policy.name): policy.fingerprint()
        for table in by_quoted.values()
        for policy in table.policies()
    }
    for name, policy in wanted:
        if name in found:
            found[name].policies[policy] = "is missing"
    for table, policy, permissive, comment, text in rows(connection, POLICIES, [[*by_quoted]]):
        name = by_quoted[table].name
        if (name, policy) not in wanted:
            if permissive:
                found[name].policies[policy] = FOREIGN
        elif comment == f"{wanted[name, policy]} {fingerprint(text)}":
            found[name].policies[policy] = ""
        else:
            found[name].policies[policy] = "differs from what is installed now"
    return found


def function_state(connection: BaseDatabaseWrapper, wanted: str) -> str:
    """Return "" if the function is as `wanted`, the fingerprint of its SQL, or what is wrong with it."""
    found = rows(connection, FUNCTION, [])
    if not found:
        return "is missing"
    ((comment, text),) = found
    return (
        "" if comment == f"{wanted} {fingerprint(text)}" else "differs from what is installed now"
    )


def find_role(connection: BaseDatabaseWrapper, name: str) -> Role | None:
    """Return the role `name` with what is too much in it, or None if there is none."""
    if not rows(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", [name]):
        return None
    powers = {}
    for member_of, superuser, bypass, create, replicate, predefined in rows(
        connection, ROLES, [name, name]
    ):
        names = {
            "SUPERUSER": superuser,
            "BYPASSRLS": bypass,
            "CREATEROLE": create,
            "REPLICATION": replicate,
            "a role of PostgreSQL's own": predefined,
        }
        # A superuser is a member of all roles, which says nothing more.
        powers[member_of] = [power for power, held in names.items() if held]
        if superuser:
            break
    return Role(name, {name: held for name, held in powers.items() if held})


def find_shadows(connection: BaseDatabaseWrapper, role: str) -> list[tuple[str, str]]:
    """Return (privilege, where) by which `role` could put a table of its own in front of a real one."""
    return [(privilege, place) for privilege, place in rows(connection, SHADOWS, [role] * 3)]


def find_passages(
    connection: BaseDatabaseWrapper, tables: Iterable[AccountTable], role: str
) -> list[str]:
    """Return what shows `role` rows of accounts and is not walled."""
    return [
        name
        for (name,) in rows(
            connection, PASSAGES, [COLUMN, role, [table.quoted for table in tables]]
        )
    ]


def find_key_names(connection: BaseDatabaseWrapper) -> list[str]:
    """Return the names of the keys that are installed. Asks as their owner."""
    if not rows(connection, KEY_IS_THERE, []):
        return []
    return [name for (name,) in rows(connection, "SELECT name FROM tenants_rls.key ORDER BY 1", [])]


def find_key_readers(connection: BaseDatabaseWrapper, role: str) -> list[str]:
    """Return as which roles `role`, itself or a member of one, could read the key and so sign for anybody."""
    return [name for (name,) in rows(connection, KEY_READER, [role, role])]


def find_grants(connection: BaseDatabaseWrapper, table: AccountTable, role: str) -> list[str]:
    """Return what `role` may do with `table` and is not to, or may not and is to."""
    problems = []
    for privilege, held in rows(connection, PRIVILEGES, [role, table.quoted]):
        if held != (privilege in {"SELECT", "DELETE"}):
            problems.append(f"{'has' if held else 'lacks'} {privilege}")
    for column, held in rows(connection, COLUMNS, [role, role, table.quoted]):
        if column in table.written and held < 2:
            problems.append(f"lacks INSERT or UPDATE of {quoted(column)}")
        elif column not in table.written and held:
            problems.append(f"has INSERT or UPDATE of {quoted(column)}")
    return problems
