"""Owns that a schema takes in no row of another account: a CHECK on each of its tables, which PostgreSQL enforces.

Whatever a bug in the context or in a query would write into a merchant's schema, it is refused there. Migrations do
not know of it: it is about the schema, and is added where it is missing after each of them.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import transaction
from psycopg import sql

from django_stripe.database import ALIAS, connection
from tenants.names import ACCOUNT, PLATFORM_SCHEMA

CONSTRAINT: Final = "tenants_own_rows"

UNCHECKED: Final = """
SELECT relname FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = %s
JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'connect_account_id' AND NOT attisdropped
WHERE relkind IN ('r', 'p') AND NOT relispartition
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = pg_class.oid AND conname = %s)
ORDER BY 1
"""

CHECK: Final = "ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (connect_account_id = {key})"


def key_of(schema: str) -> str | None:
    """Return the account whose schema this is (``""``: the platform's); None: it is no merchant's."""
    if schema == PLATFORM_SCHEMA:
        return ""
    return schema if ACCOUNT.fullmatch(schema) else None


def unchecked_tables(schema: str) -> list[str]:
    """Return the tables of `schema` that would take in rows of another account."""
    with connection().cursor() as cursor:
        cursor.execute(UNCHECKED, [schema, CONSTRAINT])
        return [name for (name,) in cursor.fetchall()]


def check_rows(schema: str) -> list[str]:
    """Have every table of a merchant's `schema` refuse rows of others; return the tables that did not.

    Raises IntegrityError if one has such a row already. Rows with no account, which are NULL, no table of ours has.
    """
    key = key_of(schema)
    if key is None:
        return []
    with transaction.atomic(ALIAS), connection().cursor() as cursor:
        tables = unchecked_tables(schema)
        for table in tables:
            cursor.execute(
                sql.SQL(CHECK).format(
                    table=sql.Identifier(schema, table),
                    name=sql.Identifier(CONSTRAINT),
                    key=sql.Literal(key),
                )
            )
    return tables


def check_rows_after_migration(schema_name: str, **kwargs: Any) -> None:
    """Do so after django-tenants has migrated a schema, by whichever command. A receiver of `schema_migrated`."""
    check_rows(schema_name)
