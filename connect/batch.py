"""Owns a batch: received events of one or many lanes, which become rows together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from connect import context, lanes, telemetry
from connect.attempts import State
from connect.lanes import LaneKey, Taken
from connect.processing import NO_KEY, UNKNOWN_ACCOUNT, refused, refused_mode, snapshot_of
from connect.router import routes_for
from django_stripe.conf import configured_modes
from django_stripe.database import ALIAS
from django_stripe.event import parse_event
from django_stripe.mirroring import mirror
from django_stripe.platform import account_of
from django_stripe.refusal import PayloadRefused
from django_stripe.snapshot import Key, Snapshot, event_snapshot

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel


@dataclass(slots=True)
class Batch:
    """What was taken, and what became of it."""

    taken: list[Taken] = field(default_factory=list)
    verdicts: dict[int, tuple[State, str]] = field(default_factory=dict)
    unsettled: list[tuple[type[AbstractStripeModel], Key]] = field(default_factory=list)
    awaited: set[Key] = field(default_factory=set)
    """The objects that handlers are going to hear of."""

    @property
    def thin(self) -> list[Taken]:
        """The events whose objects are still to be retrieved: the first of each lane before the second of any."""
        turns: Counter[LaneKey] = Counter()
        found = []
        for taken in self.taken:
            if taken.is_thin and taken.inbox_id not in self.verdicts:
                found.append((turns[taken.lane], taken))
                turns[taken.lane] += 1
        return [taken for _, taken in sorted(found, key=itemgetter(0))]

    @property
    def for_handlers(self) -> set[LaneKey]:
        """The lanes with events that wait for their handlers now."""
        return {
            taken.lane
            for taken in self.taken
            if self.verdicts.get(taken.inbox_id, ("",))[0] == State.MIRRORED
        }

    @property
    def is_full(self) -> bool:
        """Say whether there may be more than what was taken; a character is up to four bytes."""
        size = sum(len(taken.body) for taken in self.taken)
        return len(self.taken) >= lanes.BATCH_EVENTS_MAX or size >= lanes.BATCH_BYTES_MAX / 4

    def mirror(self, of: Sequence[LaneKey]) -> None:
        """Take what `of` have, write its rows, and in the same transaction how far each event is."""
        with transaction.atomic(ALIAS):
            leased = lanes.lease(of)
            self.taken = lanes.take(leased) if leased else []
            if not self.taken:
                return
            with self._span(leased):
                for accounts_events in self._places():
                    self._mirror(accounts_events)
                if self.verdicts:
                    lanes.record(self.verdicts)
        states = [state for state, _ in self.verdicts.values()]
        telemetry.count("processed", states.count(State.PROCESSED))
        telemetry.count("failed", states.count(State.FAILED))
        oldest = min(taken.received_at for taken in self.taken)
        telemetry.waited((timezone.now() - oldest).total_seconds())

    def _span(self, of: Sequence[LaneKey]) -> AbstractContextManager[object]:
        size = {"events": len(self.taken), "lanes": len(of)}
        if len(of) > 1:
            return telemetry.span("connect.drain.batch", **size)
        account_id, livemode = of[0]
        return telemetry.span("connect.drain.batch", **size, account=account_id, livemode=livemode)

    def _places(self) -> Iterator[list[Taken]]:
        """Yield what is written together: all of it, or where each account has a place of its own, by account."""
        if not context.has_entries():
            yield self.taken
            return
        for key, events in groupby(self.taken, attrgetter("connect_account_id")):
            together = list(events)
            try:
                with context.account(account_of(key)):
                    yield together
            except context.UnknownAccount:
                for taken in together:
                    self.verdicts[taken.inbox_id] = (State.PARKED, UNKNOWN_ACCOUNT)

    def _mirror(self, together: list[Taken]) -> None:
        outcome = mirror(list(self._snapshots(together)))
        ids = {(taken.lane, taken.id): taken.inbox_id for taken in together}
        for refusal in outcome.refused:
            snapshot = refusal.snapshot
            problem = refused(snapshot.object, snapshot.stripe_id, refusal.reason)
            lane = LaneKey(snapshot.account, snapshot.livemode)
            self.verdicts[ids[lane, snapshot.event_id]] = (State.FAILED, problem)
        self.unsettled += outcome.unsettled

    def _snapshots(self, together: list[Taken]) -> Iterator[Snapshot]:
        """Judge each event, and yield the states of those that are to be mirrored."""
        modes = configured_modes()
        for taken in together:
            state = None if taken.livemode in modes else refused_mode(taken.endpoint)
            if state is not None:
                self.verdicts[taken.inbox_id] = (state, NO_KEY)
                continue
            if taken.is_thin:
                continue
            try:
                yield _snapshot(taken)
            except PayloadRefused as refusal:
                problem = refused(taken.object_type, taken.object_id, refusal)
                self.verdicts[taken.inbox_id] = (State.FAILED, problem)
                continue
            if routes_for(taken):
                self.verdicts[taken.inbox_id] = (State.MIRRORED, "")
                self.awaited.add((taken.connect_account_id, taken.livemode, taken.object_id))
            else:
                self.verdicts[taken.inbox_id] = (State.PROCESSED, "")


def _snapshot(taken: Taken) -> Snapshot:
    if taken.object_id:
        return event_snapshot(taken, received_at=taken.received_at)
    # It may have none, as a balance, or one that is refused.
    return snapshot_of(parse_event(taken.body), taken.received_at)
