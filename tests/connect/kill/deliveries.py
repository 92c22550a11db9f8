"""Owns the deliveries: what Stripe's servers do until they have heard 200, and now and then after that."""

from __future__ import annotations

import heapq
import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterable
from random import Random

from connect.testing import sign
from tests.connect.kill.history import Told
from tests.settings import STRIPE_WEBHOOK_SECRETS

THREADS = 6
AGAIN_SHARE = 0.05
"""Of the events that were answered, how many are delivered once more."""
ATTEMPTS_MAX = 100
TIMEOUT_SECONDS = 20


class Deliveries:
    """Delivers `events` to `port`, by several threads, each until it is answered 200."""

    def __init__(self, events: Iterable[Told], port: int) -> None:
        self._first = list(events)[::-1]
        self._again: list[tuple[float, int, Told]] = []
        self._under_way = 0
        self._port = port
        self._chance = Random()  # noqa: S311 - no secret; threads make chance of it anyway
        self._lock = threading.Lock()
        self._attempts: Counter[str] = Counter()
        self.answered: set[str] = set()
        self.counts: Counter[str] = Counter()
        """How many deliveries ended how."""
        self.given_up: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT_SECONDS)

    @property
    def are_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        while not self._stop.is_set():
            with self._lock:
                told = self._next()
                if told is None and not self._under_way and not self._again:
                    break
                self._under_way += told is not None
            if told is None:
                time.sleep(0.01)
                continue
            outcome = self._deliver(connection, told)
            with self._lock:
                self._under_way -= 1
                self._note(told, outcome)
        connection.close()

    def _next(self) -> Told | None:
        if self._again and self._again[0][0] <= time.monotonic():
            return heapq.heappop(self._again)[2]
        return self._first.pop() if self._first else None

    def _deliver(self, connection: http.client.HTTPConnection, told: Told) -> str:
        endpoint = "connect" if told.account else "platform"
        headers = {
            "Stripe-Signature": sign(told.body, STRIPE_WEBHOOK_SECRETS[endpoint][0]),
            "Content-Type": "application/json",
        }
        try:
            connection.request("POST", f"/stripe/webhooks/{endpoint}/", told.body, headers)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return "unanswered"
        return str(response.status)

    def _note(self, told: Told, outcome: str) -> None:
        self.counts[outcome] += 1
        self._attempts[told.id] += 1
        if outcome == "200":
            is_first = told.id not in self.answered
            self.answered.add(told.id)
            if is_first and self._chance.random() < AGAIN_SHARE:
                self._deliver_again(told, self._chance.uniform(0, 2))
        elif self._attempts[told.id] < ATTEMPTS_MAX:
            self._deliver_again(told, self._chance.uniform(0.02, 0.5))
        else:
            self.given_up.append(told.id)

    def _deliver_again(self, told: Told, wait_seconds: float) -> None:
        heapq.heappush(
            self._again, (time.monotonic() + wait_seconds, self._chance.getrandbits(60), told)
        )
