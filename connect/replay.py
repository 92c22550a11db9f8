"""Owns replaying: which stored events are to be processed once more, and that they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet

from connect.draining import Drainer
from connect.models import InboxEvent
from connect.router import expect_pattern
from django_stripe.database import ALIAS, connection

BATCH_EVENTS: Final = 1000

State = InboxEvent.State
SET_ASIDE: Final = (State.PARKED, State.IGNORED)
"""Somebody decided that these are not processed: only who names them, or their state, decides otherwise."""

AGAIN: Final = """
UPDATE connect_inboxevent
SET state = 'received', attempts = 0, next_attempt_at = NULL, processed_at = NULL
WHERE id = ANY(%s) AND state = ANY(%s)
"""

# A thin event and its snapshot twin count as handled where either is, so both have to forget.
FORGET: Final = """
WITH replayed AS (
    SELECT id, connect_account_id, livemode, event_id, snapshot_event_id FROM connect_inboxevent WHERE id = ANY(%s)
)
UPDATE connect_inboxevent
SET handled_by = CASE WHEN %s::text[] IS NULL THEN '[]' ELSE handled_by - %s::text[] END
WHERE handled_by <> '[]' AND id IN (
    SELECT id FROM replayed
    UNION ALL
    SELECT e.id FROM replayed AS r JOIN connect_inboxevent AS e
        ON (e.connect_account_id, e.livemode, e.event_id) = (r.connect_account_id, r.livemode, r.snapshot_event_id)
    UNION ALL
    SELECT e.id FROM replayed AS r JOIN connect_inboxevent AS e ON e.snapshot_event_id <> ''
        AND (e.connect_account_id, e.livemode, e.snapshot_event_id) = (r.connect_account_id, r.livemode, r.event_id)
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which events of the inbox: those that fit all of what is given. Nothing given fits all but parked and ignored."""

    event_ids: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    """Keys of accounts: ids, and ``""`` for the platform."""
    livemode: bool | None = None
    states: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    """Types (``payout.failed``), prefixes (``charge.*``) or ``*``."""
    since: datetime | None = None
    """Received at this time or later."""
    until: datetime | None = None
    """Received before this time."""
    endpoint: str | None = None

    @property
    def states_taken(self) -> list[str]:
        """The states that an event may be in."""
        if self.states:
            return list(self.states)
        return [s for s in State.values if self.event_ids or s not in SET_ASIDE]

    def rows(self) -> QuerySet[InboxEvent]:
        """Return the events."""
        rows = InboxEvent.objects.using(ALIAS).filter(state__in=self.states_taken)
        exact: dict[str, Any] = {
            "event_id__in": self.event_ids,
            "connect_account_id__in": self.accounts,
            "livemode": self.livemode,
            "received_at__gte": self.since,
            "received_at__lt": self.until,
            "endpoint": self.endpoint,
        }
        rows = rows.filter(
            **{key: value for key, value in exact.items() if value not in (None, ())}
        )
        return rows.filter(_of_types(self.types)) if self.types else rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """Which handlers are called although they are done with an event: the named ones, or every one."""

    names: tuple[str, ...] = ()
    everyone: bool = False

    def __bool__(self) -> bool:
        return self.everyone or bool(self.names)


NONE_FORGOTTEN: Final = Forgetting()


def ambiguous_ids(selection: Selection) -> list[str]:
    """Return the ids that are of several events: an id is unique in one account and mode alone."""
    if not selection.event_ids:
        return []
    twice = selection.rows().values("event_id").annotate(events=Count("id")).filter(events__gt=1)
    return list(twice.order_by("event_id").values_list("event_id", flat=True))


def missing_ids(selection: Selection) -> list[str]:
    """Return the ids that no selected event has."""
    found = set(selection.rows().values_list("event_id", flat=True)) if selection.event_ids else ()
    return [event_id for event_id in selection.event_ids if event_id not in found]


def replay(selection: Selection, forgetting: Forgetting = NONE_FORGOTTEN) -> Iterator[list[int]]:
    """Put the selected events among the received ones, by batches, each committed; yield the ids of each.

    What is received meanwhile is left out. An event that a worker has is waited for, and then looked at again.
    """
    rows = selection.rows().order_by("id")
    last = rows.aggregate(last=Max("id"))["last"]
    after = 0
    while last is not None and after < last:
        with transaction.atomic(ALIAS):
            following = rows.filter(id__gt=after, id__lte=last).select_for_update()
            ids = list(following.values_list("id", flat=True)[:BATCH_EVENTS])
            make_due(ids, selection.states_taken, forgetting)
        if not ids:
            return
        after = ids[-1]
        yield ids


def make_due(
    ids: list[int], states: Sequence[str], forgetting: Forgetting = NONE_FORGOTTEN
) -> None:
    """Have events that are in one of `states` processed from the beginning, with all their attempts before them.

    Their errors stay until they are processed, and so does what they have been handled by, but for `forgetting`.
    """
    with connection().cursor() as cursor:
        if forgetting:
            names = None if forgetting.everyone else list(forgetting.names)
            cursor.execute(FORGET, [ids, names, names])
        cursor.execute(AGAIN, [ids, [str(state) for state in states]])


def drain(between_steps: Callable[[], object]) -> None:
    """Work until nothing waits that nobody else is at; `between_steps` is called often."""

    def stopping() -> bool:
        between_steps()
        return False

    Drainer(stopping=stopping).drain()


def count_waiting() -> int:
    """Return how many events wait, of all accounts."""
    waiting = (State.RECEIVED, State.MIRRORED)
    return InboxEvent.objects.using(ALIAS).filter(state__in=waiting).count()


def states_of(ids: Sequence[int]) -> dict[str, int]:
    """Return how many of these events are in which state."""
    states: Counter[str] = Counter()
    for start in range(0, len(ids), BATCH_EVENTS):
        page = list(ids[start : start + BATCH_EVENTS])
        rows = InboxEvent.objects.using(ALIAS).filter(pk__in=page)
        states.update(rows.values_list("state", flat=True))
    return dict(sorted(states.items()))


def _of_types(patterns: Sequence[str]) -> Q:
    """Raises ValueError for what is no pattern."""
    wanted = Q()
    for pattern in patterns:
        expect_pattern(pattern)
        is_prefix = pattern.endswith("*")
        wanted |= Q(type__startswith=pattern[:-1]) if is_prefix else Q(type=pattern)
    return wanted
