"""Owns cursors that say something to PostgreSQL before every statement, whatever is done with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import psycopg
from psycopg import sql
from psycopg.pq import PipelineStatus, TransactionStatus

if TYPE_CHECKING:
    Cursor = psycopg.Cursor[Any]
else:
    Cursor = object

Preface = Callable[[psycopg.Connection[Any], str], str]
"""Given a connection and its alias, what is to be said before a statement; ``""``: nothing."""

# Statements that nothing may stand before: those that end a failed transaction, and those that run outside of any.
BARE: Final = re.compile(
    r"\s*(ROLLBACK|ABORT|COMMIT|END|VACUUM|REINDEX|CLUSTER|ALTER\s+SYSTEM|(CREATE|DROP)\s+(DATABASE|TABLESPACE)"
    r"|(CREATE(\s+UNIQUE)?|DROP)\s+INDEX\s+CONCURRENTLY)\b",
    re.IGNORECASE,
)


class Prefacing(Cursor):
    """A cursor that says its preface first. Made for a class by `prefacing`."""

    alias: ClassVar[str]
    preface: ClassVar[Any]

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        preface = self.preface(self.connection, self.alias)
        if not preface or BARE.match(_text(query, self.connection)):
            return super().execute(query, params, **options)
        pipelined = self.connection.pgconn.pipeline_status != PipelineStatus.OFF
        if (
            pipelined
            or not isinstance(self, psycopg.ClientCursor)
            or isinstance(self, psycopg.ServerCursor)
        ):
            with said(self.connection, preface):
                return super().execute(query, params, **options)
        # Merged first: psycopg remembers how a query is taken apart. On a line of its own, or PostgreSQL would quote
        # from it where the statement fails.
        before = f"{preface};\n"
        try:
            super().execute(before + self.mogrify(query, params), **options)
        finally:
            # What Django shows and logs as the query.
            if self._query is not None:
                self._query.query = self._query.query[len(before) :]
        self.nextset()
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        with said(self.connection, self.preface(self.connection, self.alias)):
            super().executemany(query, params_seq, **options)

    def stream(self, query: Any, params: Any = None, **options: Any) -> Iterator[Any]:
        with said(self.connection, self.preface(self.connection, self.alias)):
            yield from super().stream(query, params, **options)

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Iterator[psycopg.Copy]:
        with (
            said(self.connection, self.preface(self.connection, self.alias)),
            super().copy(statement, params, **options) as it,
        ):
            yield it


@cache
def prefacing(
    kind: type[psycopg.Cursor[Any]], alias: str, preface: Preface
) -> type[psycopg.Cursor[Any]]:
    """Return `kind` as a cursor of the database `alias` that says `preface` first."""
    if issubclass(kind, Prefacing):
        return kind
    names = {"alias": alias, "preface": staticmethod(preface)}
    return type(f"Prefacing{kind.__name__}", (Prefacing, kind), names)


@contextmanager
def said(connection: psycopg.Connection[Any], preface: str) -> Iterator[None]:
    """Say `preface` in a message of its own, and run the block in the same transaction.

    For what cannot be one of two statements in a message: a cursor in the server, executemany, COPY, parameters
    bound by the server.
    """
    if not preface:
        yield
        return
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction() if connection.autocommit and idle else nullcontext():
        # Not by the connection's own cursor, which would say it again.
        psycopg.Cursor(connection).execute(preface.encode())
        yield


def preface_declared(preface: Preface) -> Callable[..., Any]:
    """Return a wrapper of executions for Django's cursors in the server, whose class cannot be chosen.

    Held beyond its transaction, such a cursor goes on with what it was declared for.
    """

    def wrapper(
        execute: Callable[..., Any], statement: Any, params: Any, many: bool, context: Any
    ) -> Any:
        cursor = context["cursor"].cursor
        if isinstance(cursor, psycopg.ServerCursor) and not isinstance(cursor, Prefacing):
            connection = cursor.connection
            with said(connection, preface(connection, context["connection"].alias)):
                return execute(statement, params, many, context)
        return execute(statement, params, many, context)

    return wrapper


def _text(query: Any, connection: psycopg.Connection[Any]) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string(connection)
    return query.decode() if isinstance(query, bytes) else str(query)
