"""Owns how the tables are laid out over the nodes of Citus: what the catalog allows, and the SQL that does it.

Which tables there are is told by the models, and what their keys are by the database. https://docs.citusdata.com
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tenants.catalog import find_key_names, find_tables, function_state, rows
from tenants.conf import citus, rls_binding
from tenants.functions import ACCOUNT, BLOCK, functions_sql, wall_fingerprint
from tenants.names import PLATFORM_SCHEMA
from tenants.policies import (
    COLUMN,
    SCHEMA,
    AccountTable,
    account_tables,
    quoted,
)

LOCAL_APPS: Final = frozenset({"connect", "merchants"})
"""Apps whose tables stay on the coordinator although they name an account: they are asked over all accounts."""

KEYS: Final = """
SELECT indrelid::regclass::text, conname, indisprimary, array_agg(attname ORDER BY position), indexrelid::regclass::text
FROM unnest(%s::text[]) AS asked (quoted)
JOIN pg_index ON indrelid = to_regclass(asked.quoted) AND (indisunique OR indisexclusion)
LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
CROSS JOIN LATERAL unnest(indkey[0:indnkeyatts - 1]) WITH ORDINALITY AS key (number, position)
LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number
GROUP BY indrelid, conname, indisprimary, indexrelid ORDER BY 1, 2
"""

MIGRATED: Final = (
    "SELECT quoted FROM unnest(%s::text[]) AS quoted WHERE to_regclass(quoted) IS NOT NULL"
)

COLUMNS: Final = """
SELECT attrelid::regclass::text, attname, attnotnull, attidentity <> '' AND atttypid <> 'bigint'::regtype
FROM unnest(%s::text[]) AS asked (quoted)
JOIN pg_attribute ON attrelid = to_regclass(asked.quoted) AND attnum > 0 AND NOT attisdropped ORDER BY 1, attnum
"""

# By position: a key that stands elsewhere in the other table ties rows of two accounts together.
FOREIGN_KEYS: Final = """
SELECT conname, conrelid::regclass::text, confrelid::regclass::text,
    conrelid = ANY (asked.tables), confrelid = ANY (asked.tables), EXISTS (
        SELECT FROM unnest(conkey, confkey) AS pair (here, there)
        JOIN pg_attribute AS own ON own.attrelid = conrelid AND own.attnum = here AND own.attname = %s
        JOIN pg_attribute AS its ON its.attrelid = confrelid AND its.attnum = there AND its.attname = %s
    )
FROM (SELECT array_agg(to_regclass(quoted)::oid) FROM unnest(%s::text[]) AS quoted) AS asked (tables), pg_constraint
WHERE contype = 'f' AND (conrelid = ANY (asked.tables) OR confrelid = ANY (asked.tables)) ORDER BY 1
"""

SCHEMAS: Final = """
SELECT nspname, quote_ident(nspname) FROM pg_namespace JOIN tenants_merchant ON schema_name = nspname ORDER BY 1
"""

# What the merchants' tables refer to outside of their schema.
SHARED: Final = """
SELECT DISTINCT confrelid::regclass::text FROM pg_constraint
JOIN pg_class AS own ON own.oid = conrelid JOIN pg_class AS its ON its.oid = confrelid
WHERE contype = 'f' AND own.relnamespace <> its.relnamespace
    AND own.relnamespace = ANY (SELECT oid FROM pg_namespace WHERE nspname = ANY (%s)) ORDER BY 1
"""

EXTENSION: Final = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
DISTRIBUTED_TABLES: Final = "SELECT logicalrelid::regclass::text FROM pg_dist_partition"
DISTRIBUTED_SCHEMAS: Final = "SELECT schemaid::regnamespace::text FROM pg_dist_schema"

WITHOUT_WORKERS: Final = """
SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_dist_node WHERE isactive AND shouldhaveshards)
"""

# One statement, for run_command_on_workers takes one. Citus is not to pass on what each worker is told by itself.
ON_WORKERS: Final = """
DO $worker$
BEGIN
    SET LOCAL citus.enable_ddl_propagation = off;
    CREATE SCHEMA IF NOT EXISTS {schema};
    CREATE TABLE IF NOT EXISTS {schema}.key (
        name text NOT NULL UNIQUE, inner_block bytea NOT NULL, outer_block bytea NOT NULL
    );
    REVOKE ALL ON SCHEMA {schema} FROM PUBLIC;
    REVOKE ALL ON {schema}.key FROM PUBLIC;
    SET LOCAL search_path = pg_catalog;
    EXECUTE $function${block}$function$;
    EXECUTE $function${account}$function$;
    REVOKE ALL ON FUNCTION {name}, {block_name} FROM PUBLIC;
    GRANT USAGE ON SCHEMA {schema} TO {role};
    GRANT EXECUTE ON FUNCTION {name} TO {role};
    DELETE FROM {schema}.key;
    INSERT INTO {schema}.key SELECT block.n, decode(block.i, 'hex'), decode(block.o, 'hex')
    FROM json_to_recordset('<KEY>') AS block (n text, i text, o text);
END
$worker$
"""

# The key goes from the database to the database: it is neither in what the plan prints nor in ours to log.
TELL_WORKERS: Final = """
SELECT success, result FROM run_command_on_workers(replace($command${command}$command$, '<KEY>', (
    SELECT json_agg(key)::text
    FROM (SELECT name AS n, encode(inner_block, 'hex') AS i, encode(outer_block, 'hex') AS o FROM {schema}.key) AS key
)))
"""


class CannotDistribute(RuntimeError):
    """The tables cannot be laid out like this. The command shows its text, which says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """Statements of one transaction, and what for. What is done is not done again, so it may be cut short after any."""

    why: str
    statements: tuple[str, ...]


def distributed_tables() -> list[AccountTable]:
    """Return the tables that are spread over the workers: those with an account, but for the inbox and lanes."""
    return [table for table in account_tables() if table.model._meta.app_label not in LOCAL_APPS]


def has_citus(connection: BaseDatabaseWrapper) -> bool:
    """Say whether the database has the extension."""
    return bool(rows(connection, EXTENSION, []))


def plan_rows(connection: BaseDatabaseWrapper, role: str) -> list[Step]:
    """Return what is still to be done to lay the rows mode out, for the serving `role`.

    Raises CannotDistribute for what Citus refuses, and where the wall is not the one for it.
    """
    _refuse_wall(connection, role)
    there = {name for (name,) in rows(connection, MIGRATED, [_quoted(distributed_tables())])}
    tables = [table for table in distributed_tables() if table.quoted in there]
    for problem in problems(connection, [table.quoted for table in tables]):
        raise CannotDistribute(problem)
    done = _done(connection, DISTRIBUTED_TABLES)
    return [
        _step_of_settings(connection, "citus.propagate_set_commands", "local"),
        _step_of_workers(connection, role),
    ] + [
        _step_of_table(connection, table, tables[0])
        for table in tables
        if not {table.name, table.quoted} & done
    ]


def plan_schemas(connection: BaseDatabaseWrapper) -> list[Step]:
    """Return what is still to be done to lay the schemas mode out. The shared schema stays on the coordinator."""
    schemas = dict(rows(connection, SCHEMAS, []))
    shared = [name for (name,) in rows(connection, SHARED, [[*schemas]])]
    done = _done(connection, DISTRIBUTED_TABLES) | _done(connection, DISTRIBUTED_SCHEMAS)
    return [
        _step_of_settings(connection, "citus.enable_schema_based_sharding", "on"),
        *(
            Step(
                f"Merchants' tables refer to {name}: every node has a copy.",
                (f"SELECT create_reference_table({_literal(name)})",),
            )
            for name in shared
            if name not in done
        ),
        *(
            Step(
                "The platform's own." if schema == PLATFORM_SCHEMA else f"The merchant {schema}.",
                (f"SELECT citus_schema_distribute({_literal(name)})",),
            )
            for schema, name in schemas.items()
            if name not in done
        ),
    ]


def run(connection: BaseDatabaseWrapper, steps: Iterable[Step]) -> None:
    """Run `steps`, each in a transaction of its own. Run it as the owner of the tables, on the coordinator."""
    if rows(connection, WITHOUT_WORKERS, []):
        raise CannotDistribute(
            "No node may have shards. Add one: SELECT citus_add_node('worker-1', 5432); or let the coordinator have "
            "them: SELECT citus_set_node_property('coordinator', 5432, 'shouldhaveshards', true);"
        )
    for step in steps:
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            for statement in step.statements:
                cursor.execute(statement)
                if "run_command_on_workers" in statement:
                    _refuse_failure(cursor.fetchall())


def problems(connection: BaseDatabaseWrapper, tables: list[str]) -> Iterator[str]:
    """Find what Citus refuses in `tables`, quoted, or what would tie two accounts together."""
    for table, column, not_null, is_small in rows(connection, COLUMNS, [tables]):
        if column == COLUMN and not not_null:
            yield f"Table {table}: {COLUMN} may be NULL. ALTER TABLE {table} ALTER {COLUMN} SET NOT NULL;"
        if is_small:
            yield f"Table {table}: the identity {column} is no bigint. Make it a BigAutoField."
    for table, constraint, is_primary, columns, index in rows(connection, KEYS, [tables]):
        if not is_primary and columns[0] != COLUMN:
            yield (
                f"Table {table}: the unique key {constraint or index} does not start with {COLUMN}. A worker "
                "knows its own rows only: make it one within an account."
            )
    for name, table, referred, is_ours, refers_to_ours, is_within in rows(
        connection, FOREIGN_KEYS, [COLUMN, COLUMN, tables]
    ):
        if not (is_ours and refers_to_ours and is_within):
            yield (
                f"Table {table}: the foreign key {name} to {referred} is not within an account. Refer by the Stripe "
                f"id, without a constraint, or by ({COLUMN}, …) to the same."
            )


def _step_of_table(
    connection: BaseDatabaseWrapper, table: AccountTable, first: AccountTable
) -> Step:
    primary = [key for key in rows(connection, KEYS, [[table.quoted]]) if key[2]]
    statements = []
    for _, name, _, columns, _ in primary:
        if columns[0] != COLUMN:
            key = ", ".join(map(quoted, [COLUMN, *columns]))
            change = (
                f"DROP CONSTRAINT {quoted(name)}, ADD CONSTRAINT {quoted(name)} PRIMARY KEY ({key})"
            )
            statements.append(f"ALTER TABLE {table.quoted} {change}")
    together = "" if table == first else f", colocate_with => {_literal(first.quoted)}"
    spread = f"SELECT create_distributed_table({_literal(table.quoted)}, '{COLUMN}'{together})"
    # Rows are copied to the shards by COPY, which row-level security refuses; the lock is held until it is back.
    statements += [
        f"ALTER TABLE {table.quoted} NO FORCE ROW LEVEL SECURITY",
        spread,
        f"ALTER TABLE {table.quoted} FORCE ROW LEVEL SECURITY",
    ]
    return Step(f"{table.name}: all rows of an account on one node.", tuple(statements))


def _step_of_settings(connection: BaseDatabaseWrapper, setting: str, value: str) -> Step:
    ((name,),) = rows(connection, "SELECT quote_ident(current_database())", [])
    return Step(
        "For the sessions that begin from now on: restart the site.",
        (f"ALTER DATABASE {name} SET {setting} = '{value}'",),
    )


def _step_of_workers(connection: BaseDatabaseWrapper, role: str) -> Step:
    """The function of the policies on every worker, over a table of that node's own.

    No reference table: a function that runs on a shard may not begin another distributed query.
    """
    # Those that it will have there, whatever the settings name by now.
    block, account = functions_sql(find_key_names(connection))
    command = ON_WORKERS.format(
        schema=SCHEMA,
        block=block,
        account=account,
        name=ACCOUNT,
        block_name=BLOCK,
        role=quoted(role),
    )
    return Step(
        "What the policies believe, also on the workers. Again after each change of the key.",
        (TELL_WORKERS.format(schema=SCHEMA, command=command).strip(),),
    )


def _refuse_wall(connection: BaseDatabaseWrapper, role: str) -> None:
    if not citus() or rls_binding() != "time":
        raise CannotDistribute(
            "A worker has another backend, and does not see set_config(). Set TENANTS_CITUS = True and leave "
            "TENANTS_RLS_BINDING out, or at 'time'; then run `manage.py tenants_rls install`."
        )
    walls = find_tables(connection, account_tables(), role).values()
    stale = any(any(found.policies.values()) or not found.protected for found in walls)
    if stale or (walls and function_state(connection, wall_fingerprint())):
        raise CannotDistribute(
            "The wall is not up, or not the one for Citus, whose policies have no subqueries. Run `manage.py "
            "tenants_rls install` with these settings."
        )


def _refuse_failure(answers: Iterable[tuple[bool, str]]) -> None:
    for success, result in answers:
        if not success:
            raise CannotDistribute(
                f"A worker did not do as it was told: {result}. Has it the extension, and the role of the site?"
            )


def _done(connection: BaseDatabaseWrapper, sql: str) -> set[str]:
    if not has_citus(connection):
        return set()
    return {name for (name,) in rows(connection, sql, [])}


def _quoted(tables: Iterable[AccountTable]) -> list[str]:
    return [table.quoted for table in tables]


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
