"""Webhook deliveries: endpoints, signatures, retries, a log, and switches for what goes wrong in real life."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from connect.testing import events, thin
from connect.testing.clock import Clock
from connect.testing.posting import TIMEOUT_SECONDS, Posting
from connect.testing.signatures import sign
from connect.testing.store import StripeObject

RETRY_SECONDS = (1.0, 5.0, 30.0)
LOG_MAX = 100_000
GATHER_SECONDS = 0.05


@dataclass
class Switches:
    """How deliveries misbehave. All off: every event once, in order, at once, correctly signed."""

    paused: bool = False  # hold everything until resumed or flushed
    duplicate: int = 0  # so many further deliveries of each event
    shuffle: bool = False  # in any order but the right one
    delay_seconds: float = 0.0
    drop: float = 0.0  # the share of deliveries that are lost, retries and all
    same_second: bool = False  # all events are created in one second
    wrong_secret: bool = False
    old_timestamp_seconds: int = 0  # signed so long ago
    retries: bool = True


@dataclass
class Endpoint:
    """Where events go. `account` is the endpoint's owner; one with `connect` gets its connected accounts' events.

    A destination of v2 may take both scopes (`own`), and takes either snapshot or `thin` events.
    """

    id: str
    account: str
    url: str
    connect: bool
    secrets: list[str]
    enabled_events: list[str]
    api_version: str | None = None
    enabled: bool = True
    thin: bool = False
    own: bool | None = None

    def wants(self, account: str, event: StripeObject) -> bool:
        own = not self.connect if self.own is None else self.own
        in_scope = own if account == self.account else self.connect
        return (
            self.enabled
            and in_scope
            and self.thin == thin.is_thin(event)
            and any(matches(event["type"], wanted) for wanted in self.enabled_events)
        )


def matches(type_: str, wanted: str) -> bool:
    """A wildcard stands for the rest of a name; the brackets in `v2.core.account[identity].updated` are plain text."""
    return fnmatchcase(type_, wanted.replace("[", "[[]"))


@dataclass(frozen=True)
class Delivery:
    """One line of the log: an attempt to hand one event to one endpoint."""

    endpoint: str
    event: str
    type: str
    account: str
    attempt: int
    status: int | None
    outcome: str  # delivered, failed, dropped, refused
    error: str | None = None


@dataclass
class Waiting:
    endpoint: str
    event: StripeObject
    due: float
    attempt: int = 1
    counts: bool = True  # towards `pending_webhooks`; a duplicate does not


@dataclass
class Deliveries:
    """A queue and the one thread that empties it, so that without switches the order is the order of events."""

    clock: Clock
    seed: int | None = None
    switches: Switches = field(default_factory=Switches)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311
        self._wake = threading.Condition()
        self._posting = Posting()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._hurrying = 0
        self.reset()

    def reset(self) -> None:
        with self._wake:
            self.endpoints: dict[str, Endpoint] = {}
            self.log: list[Delivery] = []
            self._queue: list[Waiting] = []
            self._busy = 0
            self._pending: Counter[str] = Counter()
            self.switches = Switches()
            self._wake.notify_all()

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(
            target=self._work, name="stand-in-stripe-deliveries", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join(TIMEOUT_SECONDS + 1)
            self._thread = None

    def add(self, endpoint: Endpoint) -> None:
        with self._wake:
            self.endpoints[endpoint.id] = endpoint

    def change(self, id_: str, **settings: Any) -> None:
        with self._wake:
            self.endpoints[id_] = replace(self.endpoints[id_], **settings)

    def remove(self, id_: str) -> None:
        """Pending retries of a deleted endpoint stop."""
        with self._wake:
            self.endpoints.pop(id_, None)

    def turn(self, **switches: Any) -> None:
        """Set switches by name, for what is sent or attempted from now on."""
        with self._wake:
            self.switches = replace(self.switches, **switches)
            self._wake.notify_all()

    def send(self, account: str, event: StripeObject) -> None:
        """Queue the event for every endpoint that wants it."""
        with self._wake:
            endpoints = [e for e in self.endpoints.values() if e.wants(account, event)]
            due = time.monotonic() + self.switches.delay_seconds
            if self.switches.shuffle:
                due += GATHER_SECONDS
            for endpoint in endpoints:
                self._queue.append(Waiting(endpoint.id, event, due))
                self._pending[event["id"]] += 1
                for _ in range(self.switches.duplicate):
                    self._queue.append(Waiting(endpoint.id, event, due, counts=False))
            self._wake.notify_all()

    def pending(self, event_id: str) -> int:
        return self._pending.get(event_id, 0)

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """Deliver everything now, without waiting for delays and retries, and also while paused.

        Returns whether nothing is left.
        """
        with self._wake:
            self._hurrying += 1
            self._wake.notify_all()
            try:
                return self._wake.wait_for(self._idle, timeout_seconds)
            finally:
                self._hurrying -= 1

    def wait_until_delivered(self, timeout_seconds: float = 30.0) -> bool:
        """Wait at the natural pace until nothing is queued; False if that takes too long."""
        with self._wake:
            return self._wake.wait_for(self._idle, timeout_seconds)

    def redeliver(self, endpoint_ids: Iterable[str], event: StripeObject) -> None:
        """As the dashboard's "resend" does: again, whatever became of earlier deliveries."""
        with self._wake:
            for id_ in endpoint_ids:
                self._queue.append(Waiting(id_, event, time.monotonic(), counts=False))
            self._wake.notify_all()

    def _idle(self) -> bool:
        return not self._queue and not self._busy

    def _work(self) -> None:
        while True:
            with self._wake:
                waiting = self._next()
                while waiting is None:
                    if self._stopping:
                        self._posting.close()
                        return
                    self._wake.wait(self._sleep_seconds())
                    waiting = self._next()
                endpoint = self.endpoints.get(waiting.endpoint)
                self._busy += 1
            try:
                if endpoint is not None:
                    self._attempt(endpoint, waiting)
            finally:
                with self._wake:
                    self._busy -= 1
                    self._wake.notify_all()

    def _next(self) -> Waiting | None:
        if self._stopping or (self.switches.paused and not self._hurrying):
            return None
        now = time.monotonic()
        due = [
            index
            for index, waiting in enumerate(self._queue)
            if self._hurrying or waiting.due <= now
        ]
        if not due:
            return None
        return self._queue.pop(self._random.choice(due) if self.switches.shuffle else due[0])

    def _sleep_seconds(self) -> float | None:
        if self.switches.paused or not self._queue:
            return None
        return max(0.0, min(waiting.due for waiting in self._queue) - time.monotonic())

    def _attempt(self, endpoint: Endpoint, waiting: Waiting) -> None:
        event = waiting.event
        if self.switches.drop and self._random.random() < self.switches.drop:
            self._note(endpoint, waiting, None, "dropped")
            return
        payload = events.encode(self._pushed(endpoint, event))
        status, error = self._posting.post(
            endpoint.url, payload, self._signature(endpoint, payload)
        )
        if status is not None and 200 <= status < 300:
            if waiting.counts:
                self._settle(event["id"])
            self._note(endpoint, waiting, status, "delivered")
            return
        self._note(endpoint, waiting, status, "failed", error)
        if self.switches.retries and waiting.attempt <= len(RETRY_SECONDS):
            due = time.monotonic() + RETRY_SECONDS[waiting.attempt - 1]
            with self._wake:
                self._queue.append(
                    Waiting(endpoint.id, event, due, waiting.attempt + 1, waiting.counts)
                )

    def _pushed(self, endpoint: Endpoint, event: StripeObject) -> StripeObject:
        if thin.is_thin(event):
            return thin.notification(event)
        pending = max(1, self.pending(event["id"]))
        version = endpoint.api_version or event["api_version"]
        return {**event, "api_version": version, "pending_webhooks": pending}

    def _settle(self, event_id: str) -> None:
        with self._wake:
            self._pending[event_id] -= 1
            if self._pending[event_id] <= 0:
                del self._pending[event_id]

    def _note(
        self,
        endpoint: Endpoint,
        waiting: Waiting,
        status: int | None,
        outcome: str,
        error: str | None = None,
    ) -> None:
        event = waiting.event
        line = Delivery(
            endpoint.id,
            event["id"],
            event["type"],
            event.get("context") or "",
            waiting.attempt,
            status,
            outcome,
            error,
        )
        with self._wake:
            self.log.append(line)
            del self.log[:-LOG_MAX]

    def _signature(self, endpoint: Endpoint, payload: bytes) -> str:
        # Receivers compare the timestamp with their own clock, so it is this machine's, not the stand-in's.
        timestamp = int(time.time()) - self.switches.old_timestamp_seconds
        secrets = ["whsec_wrong"] if self.switches.wrong_secret else endpoint.secrets
        return sign(payload, *secrets, timestamp=timestamp)
