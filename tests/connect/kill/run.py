"""Owns the run: events come in while processes are killed and PostgreSQL crashes; then everything is counted."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import psycopg

from example_platform import postgres
from tests.connect.kill.deliveries import Deliveries
from tests.connect.kill.effects import OUTSIDE, TABLES
from tests.connect.kill.history import ACCOUNTS, History
from tests.connect.kill.processes import Processes
from tests.connect.kill.verdict import problems

DATA = Path(".data")
WORKERS = 3
WEB_SHARE = 0.15
"""Of the kills, how many are of the web server."""
PAUSE_SECONDS = (0.02, 0.4)
"""Between two kills."""
KILLS_AN_EVENT_MAX = 0.05
"""After so many a slow machine has its peace."""
SECONDS_MAX = 60
SECONDS_MAX_A_THOUSAND_EVENTS = 30

# They would be tried again after half a minute, and later and later.
DO_NOT_WAIT = """
UPDATE connect_inboxevent SET next_attempt_at = now() WHERE state = 'failed' AND next_attempt_at > now()
"""
PENDING = (
    "SELECT count(*) FROM connect_inboxevent WHERE state IN ('received', 'mirrored', 'failed')"
)


@dataclass
class Figures:
    """What happened in a run."""

    events: int
    accounts: int = len(ACCOUNTS)
    seconds: float = 0
    deliveries: int = 0
    not_answered_200: int = 0
    worker_kills: int = 0
    web_kills: int = 0
    database_restarts: int = 0
    outside_effects_repeated: int = 0
    lost: int = 0
    rows_wrong: int = 0
    effects_not_once: int = 0


class Wrong(AssertionError):
    """Something was lost, is wrong, was done twice, or did not come to an end."""


def run(events: int, seed: int, restarts: int) -> dict[str, Any]:
    """Let `events` come in and be processed under fire; return the figures. Raises Wrong, with what is."""
    chance = Random(seed)  # noqa: S311 - no secret
    with _project() as (server, directory):
        return asdict(Run(server, directory, events, chance).run(restarts))


@contextlib.contextmanager
def _project() -> Iterator[tuple[postgres.Server, Path]]:
    """Provide a PostgreSQL that keeps what it has committed, with our tables in it."""
    # In the project and not where temporary files go, which is memory on many systems.
    DATA.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix="kill-", dir=DATA)).resolve()
    try:
        with postgres.running(directory / "postgres", durable=True) as server:
            os.environ["DATABASE_URL"] = server.url
            os.environ["DJANGO_SETTINGS_MODULE"] = "tests.connect.kill.settings"
            os.environ[OUTSIDE] = str(directory / "outside")
            migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
            subprocess.run(migrate, check=True)
            yield server, directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Run:
    """One run; `directory` has its logs, and the file of its effects outside of the database."""

    def __init__(
        self, server: postgres.Server, directory: Path, events: int, chance: Random
    ) -> None:
        self.server = server
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.chance = chance
        self.figures = Figures(events)
        self.history = History(chance)
        self.history.live(events)
        with self._connection() as connection:
            connection.execute(TABLES)
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO kill_sum VALUES (%s, 0)", [(account,) for account in ACCOUNTS]
                )

    def run(self, restarts: int) -> Figures:
        started = time.monotonic()
        processes = Processes(WORKERS, self.logs)
        deliveries = Deliveries(self.history.arrivals(), processes.port)
        try:
            deliveries.start()
            self._attack(processes, deliveries, restarts)
            codes = processes.end_workers()
        except BaseException:
            sys.stderr.write(self._end_of_logs())
            raise
        finally:
            deliveries.stop()
            processes.kill_all()
        self.figures.seconds = round(time.monotonic() - started, 1)
        self._count(processes, deliveries)
        if codes != [0] * WORKERS:
            raise Wrong(f"Asked to end, the workers ended with {codes}.\n{self._end_of_logs()}")
        return self.figures

    def _attack(self, processes: Processes, deliveries: Deliveries, restarts: int) -> None:
        """Kill one process after the other, until there is nothing left to be done."""
        events = self.figures.events
        due = [events * (n + 1) / (restarts + 1) for n in range(restarts)]
        ends_at = time.monotonic() + SECONDS_MAX + SECONDS_MAX_A_THOUSAND_EVENTS * events / 1000
        while not (deliveries.are_done and self._is_idle()):
            if time.monotonic() > ends_at or deliveries.given_up:
                raise Wrong(
                    f"{len(deliveries.answered)} of {events} events were answered 200, "
                    f"{deliveries.given_up or 'none'} were given up; deliveries: {deliveries.counts}"
                )
            time.sleep(self.chance.uniform(*PAUSE_SECONDS))
            if due and len(deliveries.answered) >= due[0]:
                del due[0]
                postgres.restart(self.server, "immediate")
                self.figures.database_restarts += 1
            elif processes.kills.total() < events * KILLS_AN_EVENT_MAX:
                self._kill(processes, deliveries)

    def _kill(self, processes: Processes, deliveries: Deliveries) -> None:
        # The first is the web server: in a short run chance might spare it.
        is_webs_turn = not processes.kills["web"] or self.chance.random() < WEB_SHARE
        if is_webs_turn and not deliveries.are_done:
            processes.kill_web()
        else:
            processes.kill_worker(self.chance)

    def _is_idle(self) -> bool:
        with self._connection() as connection:
            connection.execute(DO_NOT_WAIT)
            return connection.execute(PENDING).fetchall() == [(0,)]

    def _count(self, processes: Processes, deliveries: Deliveries) -> None:
        figures = self.figures
        figures.deliveries = deliveries.counts.total()
        figures.not_answered_200 = figures.deliveries - deliveries.counts["200"]
        figures.worker_kills = processes.kills["worker"]
        figures.web_kills = processes.kills["web"]
        outside = Counter(Path(os.environ[OUTSIDE]).read_text().split())
        figures.outside_effects_repeated = outside.total() - len(outside)
        with self._connection() as connection:
            lost, rows, effects = problems(connection, self.history, outside)
        figures.lost, figures.rows_wrong, figures.effects_not_once = map(len, (lost, rows, effects))
        if lost or rows or effects:
            first = "\n".join(str(each[:3]) for each in (lost, rows, effects))
            raise Wrong(f"{figures}\nThe first of what is lost, wrong, not once:\n{first}")

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(self.server.url, autocommit=True)

    def _end_of_logs(self) -> str:
        latest = sorted(self.logs.iterdir(), key=lambda log: log.stat().st_mtime)[-5:]
        return "\n".join(f"{log.name}:\n{log.read_text()[-2000:]}" for log in latest)
