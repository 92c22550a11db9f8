"""Owns cursors that say something to PostgreSQL before every statement, whatever is done with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.pq import PipelineStatus, TransactionStatus

if TYPE_CHECKING:
    Cursor = psycopg.Cursor[Any]
else:
    Cursor = object


class Preface(NamedTuple):
    """What is to be said before a statement."""

    statement: str
    """The SQL that says it for the rest of the transaction; ``""``: nothing is to be said."""
    comment: bytes = b""
    """What says it for one message alone, at its beginning; nothing: only `statement` says it.

    It ends its line, or PostgreSQL would quote it where the statement fails.
    """
    is_alone: bool = False
    """Whether `statement` is to be a message of its own, and not the first of two in one."""


PrefaceOf = Callable[[psycopg.Connection[Any], str], Preface]
"""Given a connection and its alias, what is to be said on it."""

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

    _before = b""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        preface: Preface = self.preface(self.connection, self.alias)
        if preface.comment and self._is_sent_as_it_is():
            return self._execute_after(preface.comment, query, params, options)
        if not preface.statement or BARE.match(_text(query, self.connection)):
            return super().execute(query, params, **options)
        if preface.is_alone or self._takes_one_statement():
            with said(self.connection, preface):
                return super().execute(query, params, **options)
        self._execute_after(f"{preface.statement};\n".encode(), query, params, options)
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

    def _is_sent_as_it_is(self) -> bool:
        """Whether PostgreSQL gets the text with each execution, and not another one that names what was sent before."""
        if isinstance(self, psycopg.ServerCursor):
            return False
        return isinstance(self, psycopg.ClientCursor) or self.connection.prepare_threshold is None

    def _takes_one_statement(self) -> bool:
        return (
            self.connection.pgconn.pipeline_status != PipelineStatus.OFF
            or not isinstance(self, psycopg.ClientCursor)
            or isinstance(self, psycopg.ServerCursor)
        )

    def _execute_after(self, before: bytes, query: Any, params: Any, options: Any) -> Any:
        self._before = before
        try:
            return super().execute(query, params, **options)
        finally:
            self._before = b""
            # What Django shows and logs as the query.
            if self._query is not None and self._query.query.startswith(before):
                self._query.query = self._query.query[len(before) :]

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        # Here, where psycopg has taken the query apart, or remembers how. Were it not called, nothing would be said.
        converted = super()._convert_query(query, params)
        if self._before:
            converted.query = self._before + converted.query
        return converted


@cache
def prefacing(
    kind: type[psycopg.Cursor[Any]], alias: str, preface: PrefaceOf
) -> type[psycopg.Cursor[Any]]:
    """Return `kind` as a cursor of the database `alias` that says `preface` first."""
    if issubclass(kind, Prefacing):
        return kind
    names = {"alias": alias, "preface": staticmethod(preface)}
    return type(f"Prefacing{kind.__name__}", (Prefacing, kind), names)


@contextmanager
def said(connection: psycopg.Connection[Any], preface: Preface) -> Iterator[None]:
    """Say `preface` in a message of its own, and run the block in the same transaction.

    For what is more than one message, as a cursor in the server and executemany; for COPY and what is prepared.
    """
    if not preface.statement:
        yield
        return
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    with connection.transaction() if connection.autocommit and idle else nullcontext():
        # Not by the connection's own cursor, which would say it again.
        psycopg.Cursor(connection).execute(preface.statement.encode())
        yield


def preface_declared(preface: PrefaceOf) -> Callable[..., Any]:
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
