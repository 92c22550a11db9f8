"""Owns cursors that say something to PostgreSQL before every statement, whatever is done with them.

Note on what is taken back: in a transaction, what is said outlives the statement that it was said for. There it would
be read by whoever's SQL comes next, and hold for what comes with nothing of its own: a FETCH, a COMMIT. So each says
it around its own message, and a cursor in the server, which PostgreSQL runs as it is fetched, around each FETCH.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.pq import PipelineStatus, TransactionStatus

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

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
    taken_back: Preface | None = None
    """What says the contrary; None: what is said may stay for the rest of the transaction."""


IDLE: Final = int(TransactionStatus.IDLE)

PrefaceOf = Callable[[psycopg.Connection[Any], str], Preface]
"""Given a connection and its alias, what is to be said on it."""

# Statements that nothing may stand before: those that end a failed transaction, and those that run outside of any.
BARE: Final = re.compile(
    r"\s*(ROLLBACK|ABORT|COMMIT|END|VACUUM|REINDEX|CLUSTER|ALTER\s+SYSTEM|(CREATE|DROP)\s+(DATABASE|TABLESPACE)"
    r"|(CREATE(\s+UNIQUE)?|DROP)\s+INDEX\s+CONCURRENTLY)\b",
    re.IGNORECASE,
)

BEGIN: Final = re.compile(r"\s*(BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE)


class _TransactionLeftOpen(psycopg.ProgrammingError):
    """SQL that was put into a statement, or a script, has begun a transaction and not ended it."""


class Prefacing(Cursor):
    """A cursor that says its preface first. Made for a class by `prefacing`."""

    alias: ClassVar[str]
    preface: ClassVar[Any]
    is_client: ClassVar[bool]
    """Whether it binds the parameters itself, and is no cursor in the server."""

    _before = b""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        # Python is slow where it begins again after it has waited: each call costs, so there are few.
        connection = self.connection
        preface: Preface = self.preface(connection, self.alias)
        if preface.comment and self._is_sent_as_it_is():
            was_idle = connection.pgconn.transaction_status == IDLE
            # A COMMIT runs what others have declared and deferred.
            if not was_idle and preface.taken_back and BARE.match(_text(query, connection)):
                preface = preface.taken_back
            return self._execute_after(preface.comment, query, params, options, was_idle)
        is_bare = BARE.match(_text(query, connection))
        if not preface.statement or is_bare:
            return super().execute(query, params, **options)
        if preface.is_alone or self._takes_one_statement():
            with said(self.connection, preface):
                return super().execute(query, params, **options)
        was_idle = connection.pgconn.transaction_status == IDLE
        self._execute_after(f"{preface.statement};\n".encode(), query, params, options, was_idle)
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
        return self.is_client or (
            not isinstance(self, psycopg.ServerCursor) and self.connection.prepare_threshold is None
        )

    def _takes_one_statement(self) -> bool:
        return not self.is_client or self.connection.pgconn.pipeline_status != PipelineStatus.OFF

    def _execute_after(
        self, before: bytes, query: Any, params: Any, options: Any, was_idle: bool
    ) -> Any:
        self._before = before
        try:
            super().execute(query, params, **options)
            if was_idle and self.connection.pgconn.transaction_status != IDLE:
                self._end_what_is_left_open(query)
            return self
        finally:
            self._before = b""
            # What Django shows and logs as the query.
            sent = self._query
            if sent is not None and sent.query.startswith(before):
                sent.query = sent.query[len(before) :]

    def _end_what_is_left_open(self, query: Any) -> None:
        """Roll a transaction back that more than a BEGIN has begun. Raises _TransactionLeftOpen then."""
        connection = self.connection
        is_piped = connection.pgconn.pipeline_status != PipelineStatus.OFF
        if not connection.autocommit or is_piped or BEGIN.match(_text(query, connection)):
            return
        connection.rollback()
        raise _TransactionLeftOpen(
            "A statement has begun a transaction that nobody knows of: what others write on this connection "
            "would be lost with it. It is rolled back. Use transaction.atomic(), or a BEGIN of its own."
        )

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        # Here, where psycopg has taken the query apart, or remembers how. Were it not called, nothing would be said.
        converted = super()._convert_query(query, params)
        if self._before:
            converted.query = self._before + converted.query
        return converted


class PrefacingServer(Prefacing):
    """A cursor in the server, which goes on with what it was declared for."""

    _declared: Preface | None = None

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        self._declared = self.preface(self.connection, self.alias)
        return super().execute(query, params, **options)

    def _fetch_gen(self, num: Any) -> Any:
        return self._around(super()._fetch_gen(num))  # type: ignore[misc]

    def _scroll_gen(self, value: Any, mode: Any) -> Any:
        return self._around(super()._scroll_gen(value, mode))  # type: ignore[misc]

    def _around(self, asking: Any) -> Any:
        preface = self._declared or self.preface(self.connection, self.alias)
        # Beyond its transaction it has been run.
        if preface.taken_back is None or not _is_in_transaction(self.connection):
            return (yield from asking)
        # As psycopg sends the FETCH: it holds the connection's lock.
        send = self.connection._exec_command  # noqa: SLF001
        yield from send(preface.statement)
        try:
            return (yield from asking)
        finally:
            if _is_in_transaction(self.connection):
                yield from send(preface.taken_back.statement)


@cache
def prefacing(
    kind: type[psycopg.Cursor[Any]], alias: str, preface: PrefaceOf
) -> type[psycopg.Cursor[Any]]:
    """Return `kind` as a cursor of the database `alias` that says `preface` first."""
    if issubclass(kind, Prefacing):
        return kind
    is_in_server = issubclass(kind, psycopg.ServerCursor)
    is_client = issubclass(kind, psycopg.ClientCursor) and not is_in_server
    names = {"alias": alias, "preface": staticmethod(preface), "is_client": is_client}
    base = PrefacingServer if is_in_server else Prefacing
    return type(f"Prefacing{kind.__name__}", (base, kind), names)


@contextmanager
def said(connection: psycopg.Connection[Any], preface: Preface) -> Iterator[None]:
    """Say `preface` in a message of its own, and run the block in the same transaction.

    For what is more than one message, as a cursor in the server and executemany; for COPY and what is prepared.
    """
    if not preface.statement:
        yield
        return
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    if connection.autocommit and idle:
        with connection.transaction():
            _say(connection, preface)
            yield
        return
    _say(connection, preface)
    try:
        yield
    finally:
        if preface.taken_back and _is_in_transaction(connection):
            _say(connection, preface.taken_back)


def _say(connection: psycopg.Connection[Any], preface: Preface) -> None:
    # Not by the connection's own cursor, which would say it again, and not prepared: any SQL reads what was.
    psycopg.Cursor(connection).execute(preface.statement.encode(), prepare=False)


def _is_in_transaction(connection: psycopg.Connection[Any]) -> bool:
    """Whether it is in one that has not failed: with that, what was said in it is gone."""
    status = connection.pgconn.transaction_status
    return (
        status == TransactionStatus.INTRANS
        or connection.pgconn.pipeline_status == PipelineStatus.ON
    )


def preface_all(connection: BaseDatabaseWrapper, preface: PrefaceOf) -> None:
    """Have every cursor of Django's `connection`, which is open, say `preface`."""
    raw: Any = connection.connection
    raw.cursor_factory = prefacing(raw.cursor_factory, connection.alias, preface)
    raw.server_cursor_factory = prefacing(raw.server_cursor_factory, connection.alias, preface)
    create: Any = connection.create_cursor
    if isinstance(create, _Created):
        return
    # Django makes a class of its own, in the server, by no factory.
    connection.create_cursor = _Created(create, connection.alias, preface)  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class _Created:
    """Django's way to make a cursor, and in the server one that says its preface."""

    create: Callable[..., Any]
    alias: str
    preface: PrefaceOf

    def __call__(self, name: str | None = None) -> Any:
        cursor = self.create(name)
        if name is not None:
            kind: Any = type(cursor)
            cursor.__class__ = prefacing(kind, self.alias, self.preface)
        return cursor


def _text(query: Any, connection: psycopg.Connection[Any]) -> str:
    if isinstance(query, sql.Composable):
        return query.as_string(connection)
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)
