"""Owns the PostgreSQL that is measured on: one that keeps what it has committed, with databases that go afterwards."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from bench import report, statements
from bench.statements import Statements
from example_platform import postgres

DATA: Final = Path(".data")
SETTINGS: Final = """
SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')
"""


@dataclass(frozen=True)
class Server:
    """A way into PostgreSQL, of a role that may make databases."""

    url: str
    connection: psycopg.Connection

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a database of this name, anew, and drop it afterwards."""
        identifier = sql.Identifier(name)
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier)
        self.connection.execute(drop)
        self.connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        try:
            yield make_conninfo(self.url, dbname=name)
        finally:
            self.connection.execute(drop)

    @contextmanager
    def statements(self) -> Iterator[Statements]:
        """Provide the counts of statements, from a database of their own."""
        with (
            self.database("bench_statements") as url,
            psycopg.connect(url, autocommit=True) as connection,
        ):
            counts = Statements(connection)
            if not counts.are_counted:
                report.remark(
                    f"This server counts no statements: it does not load {statements.EXTENSION}."
                )
            yield counts


@contextmanager
def running() -> Iterator[Server]:
    """Provide the server that DATABASE_URL names, or one of our own that is gone afterwards."""
    with ExitStack() as resources:
        url = os.environ.get("DATABASE_URL") or resources.enter_context(_embedded())
        connection = resources.enter_context(psycopg.connect(url, autocommit=True))
        _describe(connection)
        yield Server(url, connection)


def _describe(connection: psycopg.Connection) -> None:
    ((version, fsync, commit),) = connection.execute(SETTINGS).fetchall()
    report.remark(f"PostgreSQL {version}, fsync {fsync}, synchronous_commit {commit}")
    if fsync != "on" or commit == "off":
        report.remark("This server may forget what it has committed: the rates mean little.")


@contextmanager
def _embedded() -> Iterator[str]:
    # In the project and not where temporary files go, which is memory on many systems.
    DATA.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=DATA) as directory,
        postgres.running(Path(directory), durable=True) as server,
    ):
        if _preload(server.url):
            postgres.restart(server)
        yield server.url


def _preload(url: str) -> bool:
    """Have statements counted from the next start on, if the extension is there."""
    with psycopg.connect(url, autocommit=True) as connection:
        available = connection.execute(
            "SELECT FROM pg_available_extensions WHERE name = %s", [statements.EXTENSION]
        ).fetchall()
        if available:
            name = sql.Identifier(statements.EXTENSION)
            connection.execute(
                sql.SQL("ALTER SYSTEM SET shared_preload_libraries = {}").format(name)
            )
        return bool(available)
