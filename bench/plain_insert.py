"""Owns the limit of accepting: each body stored as it is, by a statement and a transaction of its own."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

import psycopg

from bench.delivery import delivery


class PlainInsert:
    """A table of bodies."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        connection.execute("CREATE TABLE bench_plain (id bigserial PRIMARY KEY, body text)")

    def take(self, numbers: Iterable[int]) -> float:
        """Return in how many seconds the bodies of the deliveries of `numbers` are stored."""
        bodies = [delivery(number).decode() for number in numbers]
        started = perf_counter()
        for body in bodies:
            self.connection.execute("INSERT INTO bench_plain (body) VALUES (%s)", [body])
        return perf_counter() - started
