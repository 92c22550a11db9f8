"""Owns the count of statements: PostgreSQL's own, since the mirror speaks to it beside Django's cursors."""

from __future__ import annotations

from typing import Final

import psycopg

EXTENSION: Final = "pg_stat_statements"
COUNT: Final = """
SELECT coalesce(sum(calls), 0)::bigint
FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid
WHERE d.datname = %s AND query NOT LIKE %s
"""
# What foreign keys look up when a transaction ends: no statement that somebody sent.
FOREIGN_KEY_LOOKUP: Final = "SELECT % FROM ONLY % FOR KEY SHARE OF x"


class Statements:
    """The counts of a server, if it keeps them."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        try:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute("SELECT FROM pg_stat_statements LIMIT 1")
            self.are_counted = True
        except psycopg.Error:
            self.are_counted = False

    def count(self, database: str) -> int:
        """Return how many statements this database was sent so far, transaction control included."""
        if not self.are_counted:
            return 0
        ((count,),) = self.connection.execute(COUNT, [database, FOREIGN_KEY_LOOKUP]).fetchall()
        return int(count)
