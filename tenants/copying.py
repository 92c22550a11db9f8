"""Owns the SQL that takes an account's rows from one table to another, and the SQL that proves that they arrived.

Note on the checksum: the number of rows, and the sum of a 64-bit hash of each row as text. A sum needs no order, so
each side is read once and nothing is sorted; as a numeric it does not overflow; and what is there twice does not cancel
out, as it would in an exclusive or. It finds what a bug or a broken disk does, not what somebody forges.

Note on what is later: the target may have a row that the source has, written by an event that came in meanwhile. Which
of the two states is the later one is said by the mirror's own rule, `django_stripe.ordering.supersedes`. Where it does
not say, the target's stays and Stripe is asked, as after any tie. What has no such columns is never overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from psycopg import sql

from tenants.movable import Table

# The twin of ordering.supersedes, for both are rows here.
SUPERSEDES: Final = """
coalesce({new}.requested_at > {old}.received_at
    OR ({old}.requested_at IS NULL OR {old}.requested_at <= {new}.received_at)
    AND coalesce({new}.decided_since, CASE WHEN {new}.event_id = '' AND {new}.requested_at IS NOT NULL
        THEN date_trunc('second', {new}.as_of - ({new}.received_at - {new}.requested_at))
        ELSE {new}.as_of END) > {old}.as_of, false)
"""
S_LATER: Final = sql.SQL(SUPERSEDES.format(new="s", old="t"))
T_LATER: Final = sql.SQL(SUPERSEDES.format(new="t", old="s"))

COUNT_PAST: Final = """
SELECT setval({sequence}, top) FROM (SELECT greatest(
    (SELECT max({column}) FROM {source} WHERE connect_account_id = {account}), (SELECT max({column}) FROM {target})
)) AS ids (top), {quoted_sequence} WHERE top >= last_value
"""

OVERWRITE: Final = """
UPDATE {target} AS t SET {assignments} FROM {source} AS s
WHERE s.connect_account_id = {account} AND {same} AND {s_later}
"""

# As after a tie of events: what is read meanwhile is the best guess, and Stripe is asked. One state that was told twice
# is none to ask about; that the target's row was looked at since is noted there too, or it would count as differing.
ASK_STRIPE: Final = """
UPDATE {target} AS t SET updated_at = greatest(clock_timestamp(), s.updated_at + interval '1 microsecond'),
    settle_at = CASE WHEN (t.data, t.deleted_at) IS DISTINCT FROM (s.data, s.deleted_at)
        THEN coalesce(t.settle_at, clock_timestamp()) ELSE t.settle_at END
FROM {source} AS s
WHERE s.connect_account_id = {account} AND {same} AND NOT {s_later} AND NOT {t_later}
    AND (t.data, t.deleted_at, t.as_of, t.event_id, t.requested_at, t.received_at)
        IS DISTINCT FROM (s.data, s.deleted_at, s.as_of, s.event_id, s.requested_at, s.received_at)
"""

INSERT: Final = """
INSERT INTO {target} ({columns}) SELECT {values} FROM {source} AS s
WHERE s.connect_account_id = {account} AND NOT EXISTS (SELECT FROM {target} AS t WHERE {same})
"""

ANEW_IF_TAKEN: Final = """
CASE WHEN EXISTS (SELECT FROM {target} AS taken WHERE taken.{column} = s.{column})
    THEN nextval({sequence}) ELSE s.{column} END
"""

CHECKSUM: Final = """
SELECT count(*), coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0)
FROM {table} AS s WHERE connect_account_id = {account}
"""

DIFFERENCE: Final = """
SELECT count(*) FILTER (WHERE t.connect_account_id IS NULL),
    count(*) FILTER (WHERE t.connect_account_id IS NOT NULL AND NOT ({is_later}))
FROM {source} AS s LEFT JOIN {target} AS t ON {same}
WHERE s.connect_account_id = {account}
    AND (t.connect_account_id IS NULL OR ROW({of_s})::text IS DISTINCT FROM ROW({of_t})::text)
"""

# Whoever writes a row notes when; and is not believed where the rule says that the source's is the later state. Where
# it says that the target's is, the source's may have been written after it: by an event that was late.
WRITTEN_SINCE: Final = sql.SQL("(t.updated_at > s.updated_at OR {}) AND NOT {}").format(
    T_LATER, S_LATER
)


class Checksum(NamedTuple):
    """Of the rows of one account in one table."""

    rows: int
    hashes: int


class Difference(NamedTuple):
    """What the source has of one account and the target does not, or not like this."""

    table: str
    missing: int
    differing: int

    def __str__(self) -> str:
        return f"{self.table}: {self.missing} rows missing, {self.differing} that differ"


def copy(cursor: Any, table: Table, account: str) -> int:
    """Bring the rows of `account` from the source to the target, where nobody else writes; return how many were."""
    names = _names(table, account)
    count = 0
    if table.sequence:
        column, sequence = table.sequence
        # The server has quoted it.
        counted = {"sequence": sql.Literal(sequence), "quoted_sequence": sql.SQL(sequence)}
        _run(cursor, COUNT_PAST, **names, **counted, column=sql.Identifier(column))
    if table.is_ordered:
        changed = [c for c in table.columns if c != table.counted and c not in table.key]
        assignments = [sql.SQL("{0} = s.{0}").format(sql.Identifier(c)) for c in changed]
        _run(cursor, OVERWRITE, **names, assignments=sql.SQL(", ").join(assignments))
        count += cursor.rowcount
        _run(cursor, ASK_STRIPE, **names)
    values = [_value(table, column) for column in table.columns]
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    _run(cursor, INSERT, **names, columns=columns, values=sql.SQL(", ").join(values))
    return count + int(cursor.rowcount)


def checksum(cursor: Any, table: Table, account: str, *, of_target: bool = False) -> Checksum:
    """Return count and checksum of the rows of `account` in the source, or in the target."""
    place = table.target if of_target else table.source
    columns = _columns("s", table.compared)
    _run(cursor, CHECKSUM, table=place, columns=columns, account=sql.Literal(account))
    return Checksum(*cursor.fetchone())


def difference(cursor: Any, table: Table, account: str, of_source: Checksum) -> Difference | None:
    """Return what of the source the target lacks; None where both are the same, or the target is later.

    Row by row only where count and checksum are not the same. `of_source` was read where nobody writes since.
    """
    if of_source == checksum(cursor, table, account, of_target=True):
        return None
    _run(
        cursor,
        DIFFERENCE,
        **_names(table, account),
        is_later=WRITTEN_SINCE if table.is_ordered else sql.SQL("false"),
        of_s=_columns("s", table.compared),
        of_t=_columns("t", table.compared),
    )
    found = Difference(table.name, *cursor.fetchone())
    return found if found.missing or found.differing else None


def _names(table: Table, account: str) -> dict[str, sql.Composable]:
    same = [sql.SQL("t.{0} = s.{0}").format(sql.Identifier(column)) for column in table.key]
    return {
        "source": table.source,
        "target": table.target,
        "account": sql.Literal(account),
        "same": sql.SQL(" AND ").join(same),
        "s_later": S_LATER,
        "t_later": T_LATER,
    }


def _value(table: Table, column: str) -> sql.Composable:
    name = sql.Identifier(column)
    if column != table.counted or table.sequence is None:
        return sql.SQL("s.{}").format(name)
    sequence = sql.Literal(table.sequence[1])
    return sql.SQL(ANEW_IF_TAKEN).format(target=table.target, column=name, sequence=sequence)


def _columns(alias: str, names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _run(cursor: Any, statement: str, **names: sql.Composable) -> None:
    cursor.execute(sql.SQL(statement).format(**names))
