"""Owns moving accounts between the shared tables and schemas of their own, one at a time, and knowing who has moved.

Note on the mark: what was moved and proven is noted on the merchant's schema, as its comment, with a checksum of the
source. It is committed with the rows. As long as the source is what it was then, there is nothing to move, and the
source may be dropped, whatever the target has become since; if somebody wrote into the source, that is moved too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db import connections, transaction
from psycopg import sql

from connect.context import every_account
from django_stripe.database import ALIAS
from django_stripe.platform import account_of
from tenants.conf import owner_alias
from tenants.copying import Checksum, Difference, checksum, copy, difference
from tenants.movable import (
    SHARED_SCHEMA,
    Table,
    Unmovable,
    account_tables_in,
    other_tables_in,
    tables_between,
)
from tenants.names import schema_of
from tenants.ownership import key_of
from tenants.places import find_state
from tenants.provisioning import LOCK, provision, replay_parked
from tenants.reaching import filled, hidden_behind_policies, lock, reached
from tenants.shared_tables import tenant_tables

SCHEMAS: Final = "SELECT nspname FROM pg_namespace ORDER BY nspname <> 'platform', nspname"
MARK: Final = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')"

# Rows are told by how they are written: in the same way, whenever.
AS_TEXT: Final = (
    "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = 'ISO'; SET LOCAL bytea_output = 'hex'; "
    "SET LOCAL intervalstyle = 'iso_8601'"
)

Tell = Callable[[str, int, str], object]
"""Told of a table, of how many rows it has of the account, and of what is about to be done with them."""

Sums = list[tuple[Table, Checksum]]
"""What the source has of one account, table by table: read where nobody writes until the transaction ends."""


@dataclass(frozen=True, slots=True)
class Way:
    """From the one to the other, under the settings of what it leads to."""

    to: Literal["schemas", "rows"]

    @property
    def alias(self) -> str:
        """Whose connection it takes: that of the owner of the tables."""
        return ALIAS if self.to == "schemas" else owner_alias()

    def places(self, key: str) -> tuple[str, str]:
        """Return the schema to move the account from, and the one to move it to."""
        own = schema_of(key)
        return (SHARED_SCHEMA, own) if self.to == "schemas" else (own, SHARED_SCHEMA)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows were written; None: it had been moved before."""

    rows: int | None


class NotMoved(RuntimeError):
    """The target lacks rows of the account, or has them in another state: nothing was changed."""

    def __init__(self, differences: list[Difference]) -> None:
        super().__init__("; ".join(map(str, differences)))


def accounts(way: Way) -> list[str]:
    """Return the keys of the accounts that the source has rows or a schema of, the platform's first."""
    with _transaction(way) as cursor:
        if way.to == "rows":
            cursor.execute(SCHEMAS)
            keys = [key_of(schema) for (schema,) in cursor.fetchall()]
            return [key for key in keys if key is not None]
        places = [sql.Identifier(SHARED_SCHEMA, name) for name in tenant_tables(cursor).of_accounts]
        found: set[str] = set()
        with reached(cursor, places):
            for place in places:
                cursor.execute(sql.SQL("SELECT DISTINCT connect_account_id FROM {}").format(place))
                found |= {key for (key,) in cursor.fetchall()}
        return sorted(found)


def move(key: str, way: Way, tell: Tell = lambda table, rows, doing: None) -> Moved:
    """Move the rows of the account `key`, prove that they arrived, and open the merchant's place. In one transaction.

    Killed, it leaves nothing; asked for again, it does nothing. Until its rows are there an account that was no
    merchant is none, and its events wait. Raises Unmovable, NotMoved.
    """
    source, target = way.places(key)
    with _transaction(way) as cursor:
        cursor.execute(LOCK, [key])
        state = find_state(key) if way.to == "schemas" else None
        if state == "dropped":
            raise Unmovable(
                "Its merchant was dropped, and is not to come back by this. See tenants_provision."
            )
        moved = Moved(None)
        if _marked_sums(cursor, key, way) is None:
            if way.to == "schemas":
                from tenants.migrating import make_schema  # noqa: PLC0415 - needs django-tenants' backend

                make_schema(target)
            tables = tables_between(cursor, source, target)
            with _held(cursor, tables, also_target=True):
                sums = _sums(cursor, tables, key)
                moved = Moved(_copy(cursor, sums, key, tell))
                _refuse_differences(cursor, sums, key, tell)
                _mark(cursor, sums, key, way)
    if way.to == "schemas":
        if state is None:
            provision(account_of(key))
        elif state == "ready":
            # It may have been opened by one that was killed before the events that waited were let go.
            replay_parked(account_of(key))
    return moved


def compare(key: str, way: Way, tell: Tell = lambda table, rows, doing: None) -> list[Difference]:
    """Return what the source has of the account `key` that the target has not, table by table. Raises Unmovable."""
    source, target = way.places(key)
    with _transaction(way) as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [_quoted(target)])
        if cursor.fetchone() == (False,):
            raise Unmovable(f"There is no schema {target}: it is not moved yet.")
        tables = tables_between(cursor, source, target)
        with _held(cursor, tables):
            return _differences(cursor, _sums(cursor, tables, key), key, tell)


def drop_source(key: str, way: Way, tell: Tell = lambda table, rows, doing: None) -> int:
    """Delete the rows of the account `key` from the shared tables, or drop its schema; return how many rows it had.

    Raises Unmovable unless they are the ones that were moved, NotMoved if the target has lost one since.
    """
    source, _ = way.places(key)
    with _transaction(way) as cursor:
        cursor.execute(LOCK, [key])
        if way.to == "rows":
            _lock_schema(cursor, source)
        sums = _marked_sums(cursor, key, way)
        if sums is None:
            raise Unmovable(
                "It is not moved, or somebody wrote into its source since: move it again."
            )
        if way.to == "schemas" and find_state(key) is None:
            # Without rows in the source, nobody would know that it is to be opened.
            raise Unmovable(
                "Its rows are moved, and its merchant is not opened yet: move it again."
            )
        with _held(cursor, [table for table, _ in sums]):
            _refuse_differences(cursor, [each for each in sums if each[0].is_ordered], key, tell)
            rows = sum(found.rows for _, found in sums)
            if way.to == "schemas":
                for table, _ in sums:
                    statement = "DELETE FROM {} WHERE connect_account_id = {}"
                    cursor.execute(sql.SQL(statement).format(table.source, sql.Literal(key)))
                # Before a table with what these have still to do is altered.
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                return rows
        if left := filled(cursor, source, other_tables_in(cursor, source)):
            raise Unmovable(
                f"{', '.join(left)} in {source} have rows and no connect_account_id: they are not moved. Take them out."
            )
        cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(source)))
        return rows


def refuse_wall(way: Way) -> None:
    """Raise Unmovable where row-level security still holds what schemas share: nobody signs for it there."""
    with _transaction(way) as cursor:
        moving = tenant_tables(cursor).of_accounts
        shared = [name for name in account_tables_in(cursor, SHARED_SCHEMA) if name not in moving]
        places = [sql.Identifier(SHARED_SCHEMA, name) for name in shared]
        if walled := hidden_behind_policies(cursor, places):
            raise Unmovable(
                f"Row-level security hides accounts and events from schemas, in {', '.join(walled)}. Run manage.py "
                "tenants_rls uninstall first."
            )


def filled_without_account(way: Way) -> list[str]:
    """Return the tables of the source with rows that do not say whose they are: nobody moves them."""
    with _transaction(way) as cursor:
        if way.to == "schemas":
            return filled(cursor, SHARED_SCHEMA, tenant_tables(cursor).others)
        cursor.execute(SCHEMAS)
        schemas = [schema for (schema,) in cursor.fetchall() if key_of(schema) is not None]
        return [
            f"{schema}.{name}"
            for schema in schemas
            for name in filled(cursor, schema, other_tables_in(cursor, schema))
        ]


@contextmanager
def _transaction(way: Way) -> Iterator[Any]:
    alias = way.alias
    with (
        every_account(),
        transaction.atomic(alias, durable=True),
        connections[alias].cursor() as cursor,
    ):
        cursor.execute(AS_TEXT)
        yield cursor


@contextmanager
def _held(cursor: Any, tables: list[Table], *, also_target: bool = False) -> Iterator[None]:
    """Have nobody write into the source, nor into the target if that is written to, and reach the whole source."""
    sources = [table.source for table in tables]
    targets = [table.target for table in tables] if also_target else []
    with reached(cursor, sources, ("SHARE", sources), ("SHARE ROW EXCLUSIVE", targets)):
        yield


def _lock_schema(cursor: Any, schema: str) -> None:
    """Have nobody look into a schema that is to be dropped, nor write there what was not looked for.

    At once in the mode that DROP takes: whoever has read and is to write would wait for us, and we for him.
    """
    names = [*account_tables_in(cursor, schema), *other_tables_in(cursor, schema)]
    lock(cursor, ("ACCESS EXCLUSIVE", [sql.Identifier(schema, name) for name in names]))


def _copy(cursor: Any, sums: Sums, key: str, tell: Tell) -> int:
    count = 0
    for table, found in sums:
        tell(table.name, found.rows, "copying")
        count += copy(cursor, table, key)
    return count


def _sums(cursor: Any, tables: list[Table], key: str) -> Sums:
    return [(table, checksum(cursor, table, key)) for table in tables]


def _marked_sums(cursor: Any, key: str, way: Way) -> Sums | None:
    """Return the checksums of the source if what it has now was moved and proven; nobody writes there from now on."""
    cursor.execute(MARK, [_quoted(schema_of(key))])
    ((found,),) = cursor.fetchall()
    if not (found or "").startswith(f"Moved to {way.to}"):
        return None
    tables = tables_between(cursor, *way.places(key))
    with _held(cursor, tables):
        sums = _sums(cursor, tables, key)
    return sums if found == _text_of_mark(sums, way) else None


def _mark(cursor: Any, sums: Sums, key: str, way: Way) -> None:
    statement = sql.SQL("COMMENT ON SCHEMA {} IS {}")
    text = sql.Literal(_text_of_mark(sums, way))
    cursor.execute(statement.format(sql.Identifier(schema_of(key)), text))


def _text_of_mark(sums: Sums, way: Way) -> str:
    named = [f"{table.name} {found}" for table, found in sums]
    return f"Moved to {way.to}: {hashlib.sha256(' '.join(named).encode()).hexdigest()}"


def _differences(cursor: Any, sums: Sums, key: str, tell: Tell) -> list[Difference]:
    differences = []
    for table, found in sums:
        tell(table.name, found.rows, "comparing")
        if each := difference(cursor, table, key, found):
            differences.append(each)
    return differences


def _refuse_differences(cursor: Any, sums: Sums, key: str, tell: Tell) -> None:
    if differences := _differences(cursor, sums, key, tell):
        raise NotMoved(differences)


def _quoted(schema: str) -> str:
    return sql.Identifier(schema).as_string()
