"""Owns what is to be known of a table before rows of it are moved: its columns, its key, and who counts its ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from tenants.policies import COLUMN

SHARED_SCHEMA: Final = "public"

ACCOUNT_TABLES: Final = """
SELECT relname FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = %s
JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'connect_account_id' AND NOT attisdropped
WHERE relkind IN ('r', 'p') AND NOT relispartition ORDER BY 1
"""

OTHER_TABLES: Final = """
SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace AND nspname = %s
WHERE relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'django_migrations' AND NOT EXISTS (
    SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'connect_account_id' AND NOT attisdropped
) ORDER BY 1
"""

COLUMNS: Final = """
SELECT attname, attgenerated <> '' FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname
"""

KEYS: Final = """
SELECT indisprimary, array_agg(attname ORDER BY attname)::text[] FROM pg_index
JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
WHERE indrelid = %s::regclass AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
    AND indnatts = indnkeyatts
GROUP BY indexrelid, indisprimary HAVING bool_and(attnotnull)
ORDER BY indisprimary, indexrelid::regclass::text
"""

REFERRED_TO: Final = """
SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY (%s::regclass[]))
"""

# What the mirror orders the states of an object by, and notes beside them.
ORDERING: Final = {
    "as_of",
    "data",
    "decided_since",
    "deleted_at",
    "event_id",
    "received_at",
    "requested_at",
    "settle_at",
    "updated_at",
}


class Unmovable(RuntimeError):
    """The rows of this account cannot be moved like this. The command shows its text, which says what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of accounts, in the schema it is moved from and in the one it is moved to.

    `key` tells its rows apart in both. `counted` is the column whose value a row may get anew where it is taken: ids
    are counted in each schema from 1, and nobody refers to those of this table.
    """

    name: str
    source: sql.Identifier
    target: sql.Identifier
    columns: tuple[str, ...]
    derived: tuple[str, ...]
    key: tuple[str, ...]
    counted: str | None
    sequence: tuple[str, str] | None
    """The column that is counted in the target, and by which sequence."""

    @property
    def is_ordered(self) -> bool:
        """Whether its rows say which of two states is the later one."""
        return set(self.columns) >= ORDERING

    @property
    def compared(self) -> tuple[str, ...]:
        """All columns, the derived ones too; not an id that may have been given anew, which is no part of its state."""
        return tuple(column for column in (*self.columns, *self.derived) if column != self.counted)


def account_tables_in(cursor: Any, schema: str) -> list[str]:
    """Return the tables of `schema` with a `connect_account_id`."""
    cursor.execute(ACCOUNT_TABLES, [schema])
    return [name for (name,) in cursor.fetchall()]


def other_tables_in(cursor: Any, schema: str) -> list[str]:
    """Return the tables of `schema` whose rows do not say whose they are; Django's list of migrations aside."""
    cursor.execute(OTHER_TABLES, [schema])
    return [name for (name,) in cursor.fetchall()]


def tables_between(cursor: Any, source: str, target: str) -> list[Table]:
    """Return the tables to be moved from the schema `source` to `target`, sorted. Raises Unmovable.

    Between the shared schema and a merchant's these are the ones the merchant's has: what else has an account, inbox
    and lanes and the accounts themselves, is shared in both modes, and stays.
    """
    there = set(account_tables_in(cursor, target))
    names = account_tables_in(cursor, source)
    if source != SHARED_SCHEMA and (lost := [name for name in names if name not in there]):
        raise Unmovable(
            f"The schema {target} has no {', '.join(lost)}. Put their apps into INSTALLED_APPS, and run "
            "manage.py migrate."
        )
    return [_table(cursor, name, source, target) for name in names if name in there]


def _table(cursor: Any, name: str, source: str, target: str) -> Table:
    places = sql.Identifier(source, name), sql.Identifier(target, name)
    regclasses = [place.as_string() for place in places]
    found = []
    for regclass in regclasses:
        cursor.execute(COLUMNS, [regclass])
        found.append(dict(cursor.fetchall()))
    if found[0] != found[1]:
        differing = sorted(column for column, _ in found[0].items() ^ found[1].items())
        raise Unmovable(
            f"{name}: the columns {', '.join(dict.fromkeys(differing))} of {source} and {target} differ. Bring the "
            "source up to the same migrations first, under its own settings."
        )
    cursor.execute(KEYS, [regclasses[1]])
    keys = cursor.fetchall()
    natural = [key for primary, key in keys if not primary and COLUMN in key]
    primary = [key for is_primary, key in keys if is_primary]
    if not (natural or primary):
        raise Unmovable(f"{name} has no key to tell its rows by. Give it a unique constraint.")
    cursor.execute(REFERRED_TO, [regclasses])
    ((is_referred_to,),) = cursor.fetchall()
    sequence = _sequence(cursor, regclasses[1], primary)
    return Table(
        name,
        *places,
        columns=tuple(column for column, derived in found[0].items() if not derived),
        derived=tuple(column for column, derived in found[0].items() if derived),
        key=tuple((natural or primary)[0]),
        counted=sequence[0] if sequence and natural and not is_referred_to else None,
        sequence=sequence,
    )


def _sequence(cursor: Any, regclass: str, primary: list[list[str]]) -> tuple[str, str] | None:
    if not primary or len(primary[0]) != 1:
        return None
    cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [regclass, primary[0][0]])
    ((name,),) = cursor.fetchall()
    return (primary[0][0], name) if name else None
