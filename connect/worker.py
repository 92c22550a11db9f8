"""Owns the worker: a process that drains, settles and prunes until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import Error, close_old_connections

from connect.draining import Drainer
from connect.retention import prune
from connect.unsettled import settle_due
from django_stripe.database import connection
from django_stripe.failure import where

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.05
"""How long a worker rests that is not behind. No LISTEN: NOTIFY locks at each commit, and poolers do not pass it."""
SETTLE_EVERY_SECONDS: Final = 1.0
PRUNE_EVERY_SECONDS: Final = 3600.0
RECONNECT_SECONDS_MAX: Final = 5.0


class Worker:
    """Works until `stop` is called, whatever happens to the database meanwhile."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._drainer = Drainer(stopping=self._stop.is_set)
        self._next: dict[Callable[[], object], float] = {}
        self.moved = 0
        """How many steps events were brought further: rows, handlers."""

    def stop(self) -> None:
        """Let it end after the batch or the handler it is at; may be called by a signal handler."""
        self._stop.set()

    def run_once(self) -> int:
        """Drain, settle and drain again what that made due; return how many steps were done. Errors are raised."""
        self.moved += self._drainer.drain()
        settle_due()
        return self.moved

    def run(self) -> None:
        """Work until told to stop."""
        pause = POLL_SECONDS
        while not self._stop.is_set():
            try:
                self.moved += self._drainer.round()
                self._every(SETTLE_EVERY_SECONDS, settle_due)
                self._every(PRUNE_EVERY_SECONDS, prune)
            except Error as error:
                # Restarted, failing over, out of connections: nothing is lost, and nothing to be done but wait.
                pause = min(2 * pause, RECONNECT_SECONDS_MAX)
                logger.error("The database fails; next try in %.1f s: %s", pause, where(error))
                connection().close()
                self._stop.wait(pause)
            else:
                pause = POLL_SECONDS
                close_old_connections()
                # A short rest, also while events come in: the next batch is then larger, and costs no more.
                if not self._drainer.is_behind:
                    self._stop.wait(pause)

    def _every(self, seconds: float, work: Callable[[], object]) -> None:
        """Do `work` if it was not done for so long."""
        now = time.monotonic()
        if now >= self._next.get(work, 0.0):
            work()
            self._next[work] = time.monotonic() + seconds
