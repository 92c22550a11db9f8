"""Owns that whoever copies or drops rows reaches all of them, past the wall, or is told that he does not.

Note on the wall: row-level security that is forced would hide rows from the owner of a table, without a word. So it is
lifted for him in the transaction that reads, where nobody else sees it, and PostgreSQL is asked whether it is.

Note on waiting: writers lock the same tables in an order of theirs. Who waits for one while he has another waits for
somebody who waits for him, and PostgreSQL ends one of the two. So all are locked in one go, which lets go of all of
them when it has waited for less than it takes PostgreSQL to look, a second (`deadlock_timeout`). The last is patient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

from django.db import OperationalError, ProgrammingError, transaction
from psycopg import sql
from psycopg.errors import LockNotAvailable

from tenants.movable import Unmovable

HIDES: Final = """
SELECT format('%%I.%%I', nspname, relname), relforcerowsecurity FROM pg_class
JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE pg_class.oid = ANY (%s::regclass[]) AND row_security_active(pg_class.oid) ORDER BY 1
"""

LOCK_WAITS_MILLISECONDS: Final = (*[100] * 20, *[500] * 10, 0)
"""How long each go waits for a table; 0: as long as it takes."""

Locks = tuple[LiteralString, Sequence[sql.Composable]]
"""A mode, and the tables that are to be locked in it."""


def lock(cursor: Any, *wanted: Locks) -> None:
    """Lock these tables until the transaction ends: all of them, or none while one of them is another's."""
    for wait in LOCK_WAITS_MILLISECONDS:
        try:
            with transaction.atomic(cursor.db.alias):
                cursor.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(wait))
                for mode, places in wanted:
                    if places:
                        statement = sql.SQL(f"LOCK TABLE {{}} IN {mode} MODE")
                        cursor.execute(statement.format(sql.SQL(", ").join(places)))
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
        except OperationalError as problem:
            if not isinstance(problem.__cause__, LockNotAvailable) or not wait:
                raise
        else:
            return


def hidden_behind_policies(cursor: Any, places: list[sql.Identifier]) -> list[str]:
    """Return those of these tables that hide rows from the role that asks."""
    cursor.execute(HIDES, [[place.as_string() for place in places]])
    return [name for name, _ in cursor.fetchall()]


def filled(cursor: Any, schema: str, names: list[str]) -> list[str]:
    """Return those of these tables that have any row."""
    places = {name: sql.Identifier(schema, name) for name in names}
    found = []
    with reached(cursor, list(places.values())):
        for name, place in places.items():
            cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(place))
            if cursor.fetchone() == (True,):
                found.append(name)
    return found


@contextmanager
def reached(cursor: Any, places: list[sql.Identifier], *held: Locks) -> Iterator[None]:
    """Reach every row of these tables in the block, whatever policy hides them; with the tables of `held` locked.

    Raises Unmovable if that cannot be.
    """
    cursor.execute(HIDES, [[place.as_string() for place in places]])
    forced = [sql.SQL(name) for name, is_forced in cursor.fetchall() if is_forced]
    try:
        lock(cursor, ("ACCESS EXCLUSIVE", forced), *held)
        for name in forced:
            cursor.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(name))
    except ProgrammingError as problem:
        raise _walled([name.as_string() for name in forced]) from problem
    if hidden := hidden_behind_policies(cursor, places):
        raise _walled(hidden)
    yield
    for name in forced:
        cursor.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name))


def _walled(names: list[str]) -> Unmovable:
    return Unmovable(
        f"Row-level security hides rows of {', '.join(names[:3])} from this role. Log in as the owner of the tables, "
        "or run manage.py tenants_rls uninstall as him, under the settings of rows."
    )
