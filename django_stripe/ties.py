"""Owns ties: states of one object within one second of Stripe's clock, decided over all that happened in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import transaction

from django_stripe import upsert
from django_stripe.database import ALIAS
from django_stripe.ordering import (
    NOTHING,
    Change,
    Decision,
    Known,
    decide,
    earliest,
    final_state,
    state,
    supersedes,
)
from django_stripe.refusal import PayloadRefused, payload_refused
from django_stripe.snapshot import Key, Snapshot, change_of, state_of

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

History = Callable[[str, Key, datetime | None, datetime], Iterable[Snapshot]]
"""Returns the stored events about (object name, key) with `as_of` from … to …, both included."""

PRIOR_SECONDS_MAX: Final = 20
"""How far back the state before a closed loop is looked for."""

_histories: list[History] = []


def remember_events_with(history: History) -> None:
    """Let `history` supply the events of a second. Without one, most ties are settled by asking Stripe."""
    _histories[:] = [history]


def resolve(
    model: type[AbstractStripeModel], left_out: Mapping[Key, Sequence[Snapshot]]
) -> tuple[list[Key], list[Key]]:
    """Decide those keys of `left_out` that are ties; return the keys (settled, unsettled).

    `left_out` holds the states of the objects that the guarded statement may not have written, or of which
    the batch had several of one second. Runs in a transaction, which then holds the locks of the tied rows.
    """
    rows = upsert.rows(model, left_out)
    tied = {key: found for key, found in left_out.items() if _is_open(rows[key], found)}
    settled: list[Key] = []
    unsettled: list[Key] = []
    if tied:
        # Of two deciders the second has to see what the first wrote.
        rows = upsert.rows(model, tied, lock=True)
    for key, found in tied.items():
        is_settled = Tie(model, key, rows[key], found).settle()
        (settled if is_settled else unsettled).append(key)
    return settled, unsettled


def _is_open(row: upsert.Row, found: Iterable[Snapshot]) -> bool:
    return any(
        not _is_of(snapshot, row)
        and (supersedes(snapshot, row) is not False or (row.leans_on_prior and snapshot.event_id))
        for snapshot in found
    )


def _is_of(snapshot: Snapshot, row: upsert.Row) -> bool:
    """Say whether `row` is what `snapshot` made it: it was just written, or is a replay."""
    if snapshot.event_id or row.event_id:
        return snapshot.event_id == row.event_id
    return snapshot.received_at == row.received_at


@dataclass(slots=True)
class Tie:
    """One row and what arrived for the same moment."""

    model: type[AbstractStripeModel]
    key: Key
    row: upsert.Row
    found: Sequence[Snapshot]

    def settle(self) -> bool:
        """Write what the row is to be; return False where that is a guess."""
        rivals = [s for s in self.found if supersedes(s, self.row) is not False]
        if self._is_answered_deleted() and not rivals:
            self._keep_last_state()
            return True
        known: list[Known] = [self.row, *rivals]
        since, until = min(map(earliest, known)), max(s.as_of for s in known)
        events = self._events(since, until)
        changes = [*map(change_of, events.values()), *self._change_of_row(events)]
        observed = self._observed()
        decision = self._decide(changes, observed, since)
        written = self._write(decision, events, observed)
        stays_deleted = (
            observed is self.row and self._is_answered_deleted() and not decision.event_id
        )
        if stays_deleted:
            self._keep_last_state()
        verdict = upsert.Verdict(
            since=since,
            until=until,
            received_at=max(s.received_at for s in (*known, *events.values())),
            settled=decision.settled and written,
            leans_on_prior=decision.by_prior or stays_deleted,
        )
        upsert.mark(self.model, self.key, verdict)
        return verdict.settled

    def _decide(
        self, changes: Sequence[Change], observed: Snapshot | upsert.Row | None, since: datetime
    ) -> Decision:
        seen = self._state(observed) if observed else None
        asked_at = observed.requested_at if observed else None
        decision = decide(changes, observed=seen, observed_at=asked_at)
        if not decision.settled:
            prior = self._prior(since)
            decision = decide(changes, observed=seen, observed_at=asked_at, prior=prior)
        return decision

    def _events(self, since: datetime | None, until: datetime) -> dict[str, Snapshot]:
        stored = (
            _histories[0](self.model.stripe_object, self.key, since, until) if _histories else ()
        )
        given = (s for s in self.found if s.event_id and s.as_of <= until)
        events = {s.event_id: s for s in given if since is None or s.as_of >= since}
        # The stored ones know better when they were received.
        return events | {s.event_id: s for s in stored}

    def _change_of_row(self, events: Mapping[str, Snapshot]) -> Iterable[Change]:
        """The row's own event, where it was not stored: all we know is where it led."""
        row = self.row
        if row.event_id and row.event_id not in events:
            yield Change(row.event_id, row.as_of, row.received_at, None, self._state(row))

    def _observed(self) -> Snapshot | upsert.Row | None:
        """What Stripe answered last, if an answer is among the contenders."""
        answers: list[Snapshot | upsert.Row] = [s for s in self.found if not s.event_id]
        if not self.row.event_id:
            answers.append(self.row)
        return max(answers, key=lambda s: s.requested_at or s.received_at, default=None)

    def _state(self, known: Snapshot | upsert.Row) -> str:
        try:
            if isinstance(known, Snapshot):
                return state_of(known)
            return (
                NOTHING if known.deleted_at else state(json.loads(known.data, parse_float=Decimal))
            )
        except (ValueError, RecursionError):
            return "unreadable"

    def _prior(self, before: datetime) -> str | None:
        """The state before the seconds in question, from the events that lead to it."""
        earlier = [s for s in self._events(None, before).values() if s.as_of < before]
        asked_at = self.row.requested_at
        prior: str | None = None
        for second in sorted({s.as_of for s in earlier})[-PRIOR_SECONDS_MAX:]:
            changes = [change_of(s) for s in earlier if s.as_of == second]
            # Stripe was asked since, and may have told of another state.
            overtaken = asked_at and any(c.received_at < asked_at for c in changes)
            prior = None if overtaken else final_state(changes, prior)
        return prior

    def _write(
        self,
        decision: Decision,
        events: Mapping[str, Snapshot],
        observed: Snapshot | upsert.Row | None,
    ) -> bool:
        """Write the chosen state, if it is another than the row's; return False if it cannot be stored."""
        chosen = events.get(decision.event_id) if decision.event_id else observed
        if not isinstance(chosen, Snapshot) or decision.event_id == self.row.event_id != "":
            return True
        try:
            with payload_refused(), transaction.atomic(ALIAS):
                upsert.overwrite(self.model, chosen)
        except PayloadRefused:
            if chosen in self.found:
                raise
            return False  # the fault of another event than the one that is to be written now
        return True

    def _is_answered_deleted(self) -> bool:
        """Stripe says that it is deleted, and not what it was: older events still tell that."""
        return self.row.deleted_at is not None and not self.row.event_id

    def _keep_last_state(self) -> None:
        """Give the deleted row the state that the last event told of."""
        events = self._events(None, self.row.as_of).values()
        last = max((s.as_of for s in events), default=None)
        if last is not None:
            changes = [change_of(s) for s in events if s.as_of == last]
            decision = decide(changes)
            last_one = next(s for s in events if s.event_id == decision.event_id)
            with suppress(PayloadRefused), payload_refused(), transaction.atomic(ALIAS):
                upsert.keep_state(self.model, last_one)
