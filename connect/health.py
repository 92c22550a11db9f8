"""Owns how the inbox is: what waits, for how long, and what somebody has to look at; by endpoint, of no account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from connect.conf import ENDPOINTS, health_lag_seconds
from connect.context import every_account
from django_stripe.database import ALIAS, connection

COUNTED_MAX: Final = 20_000
"""How many events of a state are looked at, the oldest first: the answer is due also when many wait."""
NEWEST_EVENTS: Final = 1000
STATEMENT_TIMEOUT: Final = "5s"

# By the index of what is not done, whose condition has to be said: the planner cannot see it in a parameter. An
# event with an error was tried before, or is replayed: how old it is tells nothing of how late new ones are.
STATES: Final = """
SELECT endpoint, state, count(*),
    count(*) FILTER (WHERE next_attempt_at IS NULL),
    count(*) FILTER (WHERE next_attempt_at <= now()),
    extract(epoch FROM now() - min(next_attempt_at))::float8,
    extract(epoch FROM now() - min(received_at) FILTER (WHERE error = ''))::float8,
    extract(epoch FROM now() - min(created) FILTER (WHERE error = ''))::float8
FROM unnest(ARRAY['received', 'mirrored', 'failed', 'parked']) AS looked_at (looked_state) CROSS JOIN LATERAL (
    SELECT endpoint, state, next_attempt_at, received_at, created, error FROM connect_inboxevent
    WHERE state = looked_state AND state <> 'processed' ORDER BY id LIMIT %s
) AS oldest
GROUP BY endpoint, state
"""

NEWEST: Final = """
SELECT endpoint, max(received_at)
FROM (SELECT endpoint, received_at FROM connect_inboxevent ORDER BY id DESC LIMIT %s) AS newest GROUP BY endpoint
"""


@dataclass(slots=True)
class EndpointHealth:
    """How the events are that came by one endpoint."""

    waiting: int = 0
    """Received, and not done: for their rows or for their handlers."""
    oldest_waiting_seconds: float = 0.0
    """Since the oldest of those that were not tried before was received."""
    lag_seconds: float = 0.0
    """Since the oldest of them was created at Stripe."""
    retrying: int = 0
    """Failed, and tried again later."""
    overdue: int = 0
    """Of these, the time has come: a worker takes them within moments."""
    overdue_seconds: float = 0.0
    """For how long, at most."""
    dead: int = 0
    """Failed, and not tried again before somebody says so."""
    parked: int = 0
    newest_received_at: datetime | None = None
    """None: the newest events, of whatever endpoint, have none of it."""


@dataclass(frozen=True, slots=True)
class Health:
    """How every endpoint is."""

    endpoints: dict[str, EndpointHealth] = field(
        default_factory=lambda: {name: EndpointHealth() for name in ENDPOINTS}
    )

    @property
    def status(self) -> str:
        """Return ``"late"``, ``"degraded"`` (there is something to look at, and the rest goes on) or ``"ok"``."""
        late_seconds = health_lag_seconds()
        endpoints = self.endpoints.values()
        if any(endpoint.oldest_waiting_seconds > late_seconds for endpoint in endpoints):
            return "late"
        # Parked is no fault: a live endpoint for connected accounts is sent test events too.
        if any(endpoint.dead or endpoint.overdue_seconds > late_seconds for endpoint in endpoints):
            return "degraded"
        return "ok"


def measured() -> Health:
    """Ask the database how the inbox is, of all accounts. Raises django.db.Error if it does not answer in time."""
    health = Health()
    with every_account(), transaction.atomic(ALIAS), connection().cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'")
        cursor.execute(STATES, [COUNTED_MAX])
        for endpoint, state, *numbers in cursor.fetchall():
            _add(health.endpoints.setdefault(endpoint, EndpointHealth()), state, numbers)
        cursor.execute(NEWEST, [NEWEST_EVENTS])
        for endpoint, received_at in cursor.fetchall():
            health.endpoints.setdefault(endpoint, EndpointHealth()).newest_received_at = received_at
    return health


def _add(endpoint: EndpointHealth, state: str, numbers: list[Any]) -> None:
    count, without_retry, overdue, overdue_seconds, waiting_seconds, lag_seconds = numbers
    if state == "parked":
        endpoint.parked = count
    elif state == "failed":
        endpoint.retrying = count - without_retry
        endpoint.dead = without_retry
        endpoint.overdue = overdue
        endpoint.overdue_seconds = max(overdue_seconds or 0.0, 0.0)
    else:
        endpoint.waiting += count
        endpoint.oldest_waiting_seconds = max(
            endpoint.oldest_waiting_seconds, waiting_seconds or 0.0
        )
        endpoint.lag_seconds = max(endpoint.lag_seconds, lag_seconds or 0.0)
