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
SELECT attname, CASE WHEN attgenerated <> '' THEN pg_get_expr(adbin, adrelid) END FROM pg_attribute
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
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

BRING_UP: Final = "bring the source up to the same migrations first, under its own settings."
MIGRATE: Final = (
    "have the migration that adds it (AddMetadataKey, where it is a metadata_…) in INSTALLED_APPS here, and run it; or "
    "take the column out of the source."
)
NOTHING_COPIED: Final = "Nothing of this account was copied."

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


Columns = dict[str, str | None]
"""Of a table, each with what it is derived by; None: it is written."""


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
    both = {
        name: (_columns(cursor, source, name), _columns(cursor, target, name))
        for name in names
        if name in there
    }
    if problems := [
        _of_columns(name, (source, target), of_both)
        for name, of_both in both.items()
        if of_both[0] != of_both[1]
    ]:
        raise Unmovable(" ".join([*problems, NOTHING_COPIED]))
    return [_table(cursor, name, (source, target), found) for name, (found, _) in both.items()]


def _columns(cursor: Any, schema: str, name: str) -> Columns:
    cursor.execute(COLUMNS, [sql.Identifier(schema, name).as_string()])
    return dict(cursor.fetchall())


def _of_columns(name: str, places: tuple[str, str], both: tuple[Columns, Columns]) -> str:
    """Say which columns of a table differ between two schemas, and on which side something is to be done."""
    differing = sorted({column for column, _ in both[0].items() ^ both[1].items()})
    said = [f"{name}: the columns {', '.join(differing)} of {places[0]} and {places[1]} differ."]
    for place, columns, remedy in zip(places, both, (BRING_UP, MIGRATE), strict=True):
        if lacking := [column for column in differing if column not in columns]:
            said.append(f"{place} lacks {', '.join(lacking)}: {remedy}")
    if derived := [column for column in differing if column in both[0] and column in both[1]]:
        said.append(f"{', '.join(derived)} are derived in another way: {BRING_UP}")
    return " ".join(said)


def _table(cursor: Any, name: str, schemas: tuple[str, str], found: Columns) -> Table:
    places = sql.Identifier(schemas[0], name), sql.Identifier(schemas[1], name)
    regclasses = [place.as_string() for place in places]
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
        columns=tuple(column for column, derived_by in found.items() if derived_by is None),
        derived=tuple(column for column, derived_by in found.items() if derived_by is not None),
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
