"""Owns draining: what waits in a lane becomes rows by the batch, and then handlers hear of it, one event at a time.

Every step is a transaction that begins by locking the lane, and leaves nothing behind that the next one would
need to know: a worker may be killed at any moment, and any other goes on from the last commit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from django.db import transaction

from connect import lanes, thin
from connect.attempts import State, give_back, try_again_due
from connect.context import UnknownAccount, account
from connect.handling import handle
from connect.inbox import stored_event
from connect.lanes import LaneKey, Taken
from connect.processing import (
    NO_KEY,
    UNKNOWN_ACCOUNT,
    process,
    refused,
    refused_mode,
    snapshot_of,
)
from connect.router import routes_for
from django_stripe.conf import configured_modes
from django_stripe.database import ALIAS, connection
from django_stripe.event import is_deletion, parse_event
from django_stripe.failure import where
from django_stripe.mirroring import Outcome, mirror
from django_stripe.platform import account_of
from django_stripe.refusal import PayloadRefused
from django_stripe.settling import settle
from django_stripe.snapshot import EVENT_PATH, Snapshot

logger = logging.getLogger(__name__)

TURN_SECONDS_MAX: Final = 2.0
"""How long the handlers of one lane are called before the other lanes have their turn."""
SETTLE_AGAIN_SECONDS: Final = 60.0
"""How long nobody waits for Stripe after it did not answer: `settle_due` asks later."""


def drain(lane: LaneKey | None = None) -> int:
    """Work until nothing waits, in all lanes or one; return how many events got further.

    What a wake-up of any scheduler calls. It may be called by any number of processes at a time; where another
    is at work in a lane, that one also sees what came in meanwhile.
    """
    return Drainer().drain(lane)


@dataclass(slots=True)
class Drainer:
    """One worker's way through the lanes."""

    stopping: Callable[[], bool] = lambda: False
    _settle_again_at: float = 0.0

    def drain(self, lane: LaneKey | None = None) -> int:
        """Work until nothing waits that nobody else is at; return how many events got further."""
        total = 0
        while moved := self.round(lane):
            total += moved
        return total

    def round(self, lane: LaneKey | None = None) -> int:
        """Give every lane that waits one turn, or only `lane`; return how many events got further."""
        try_again_due()
        moved = 0
        at = None
        while found := lanes.waiting(at):
            for at in found:
                if self.stopping():
                    return 0
                if lane in {None, at}:
                    moved += self.turn(at)
        return moved

    def turn(self, lane: LaneKey) -> int:
        """Give one lane a turn: a batch becomes rows, and handlers are called for up to two seconds."""
        ends_at = time.monotonic() + TURN_SECONDS_MAX
        moved = self._mirror_batch(lane)
        while not self.stopping() and time.monotonic() < ends_at:
            inbox_id = lanes.next_thin(lane)
            if inbox_id is None:
                break
            moved += 1
            with _alone(inbox_id):
                thin_event = stored_event(inbox_id)
                thin.mirror_related(inbox_id, thin_event, done=not routes_for(thin_event))
        while not self.stopping() and time.monotonic() < ends_at and _handle_next(lane):
            moved += 1
        return moved

    def _mirror_batch(self, lane: LaneKey) -> int:
        batch = Batch(lane)
        try:
            batch.mirror()
        except Exception as error:
            if not connection().is_usable():
                raise
            logger.error("A batch of lane %s is processed one by one: %s", lane, where(error))
            for taken in batch.taken:
                with _alone(taken.id):
                    process(taken.id)
        else:
            self._settle(batch)
        return len(batch.taken)

    def _settle(self, batch: Batch) -> None:
        """Ask Stripe for what handlers are about to read; the rest waits for `settle_due`."""
        if time.monotonic() < self._settle_again_at:
            return
        for model, key in batch.outcome.unsettled:
            if key[2] in batch.awaited and not settle(model, key, turns=1):
                self._settle_again_at = time.monotonic() + SETTLE_AGAIN_SECONDS
                return


@dataclass(slots=True)
class Batch:
    """The next received events of a lane."""

    lane: LaneKey
    taken: list[Taken] = field(default_factory=list)
    outcome: Outcome = field(default_factory=Outcome)
    verdicts: dict[int, tuple[State, str]] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    """The ids of the objects that handlers are going to hear of."""

    def mirror(self) -> None:
        """Write the rows of the batch, and in the same transaction how far each event is."""
        with transaction.atomic(ALIAS):
            if not lanes.lease(self.lane):
                return
            self.taken = lanes.take(self.lane)
            if not self.taken:
                return
            try:
                with account(account_of(self.lane.connect_account_id)):
                    self._mirror()
            except UnknownAccount:
                unknown = (State.PARKED, UNKNOWN_ACCOUNT)
                self.verdicts = dict.fromkeys((taken.id for taken in self.taken), unknown)
            lanes.record(self.verdicts)

    def _mirror(self) -> None:
        self.outcome = mirror(list(self._snapshots()))
        ids = {taken.event_id: taken.id for taken in self.taken}
        for refusal in self.outcome.refused:
            snapshot = refusal.snapshot
            problem = refused(snapshot.object, snapshot.stripe_id, refusal.reason)
            self.verdicts[ids[snapshot.event_id]] = (State.FAILED, problem)

    def _snapshots(self) -> Iterator[Snapshot]:
        """Judge each event, and yield the states of those that are to be mirrored."""
        is_refused = self.lane.livemode not in configured_modes()
        for taken in self.taken:
            state = refused_mode(taken.endpoint) if is_refused else None
            if state is not None:
                self.verdicts[taken.id] = (state, NO_KEY)
                continue
            if routes_for(taken):
                self.verdicts[taken.id] = (State.MIRRORED, "")
                self.awaited.add(taken.object_id)
            else:
                self.verdicts[taken.id] = (State.PROCESSED, "")
            try:
                yield self._snapshot(taken)
            except PayloadRefused as refusal:
                problem = refused(taken.object_type, taken.object_id, refusal)
                self.verdicts[taken.id] = (State.FAILED, problem)

    def _snapshot(self, taken: Taken) -> Snapshot:
        if not taken.object_id:
            # It may have none, as a balance, or one that is refused.
            return snapshot_of(parse_event(taken.payload), taken.received_at)
        return Snapshot(
            object=taken.object_type,
            account=self.lane.connect_account_id,
            livemode=self.lane.livemode,
            stripe_id=taken.object_id,
            as_of=taken.created,
            origin="event",
            received_at=taken.received_at,
            payload=taken.payload,
            path=EVENT_PATH,
            deleted=is_deletion(taken.type),
            event_id=taken.event_id,
            event_type=taken.type,
        )


def _handle_next(lane: LaneKey) -> bool:
    """Call the handlers of the lane's next event in one transaction; False: there is none that nobody else is at."""
    inbox_id = None
    try:
        with transaction.atomic(ALIAS):
            inbox_id = lanes.next_mirrored(lane)
            if inbox_id is not None:
                handle(inbox_id, stored_event(inbox_id))
    except Exception as error:
        # What fails when the transaction ends is this event's too.
        if inbox_id is None or not connection().is_usable():
            raise
        _give_up(inbox_id, error)
    return inbox_id is not None


@contextmanager
def _alone(inbox_id: int) -> Iterator[None]:
    """Keep what goes wrong with an event to that event."""
    try:
        yield
    except Exception as error:
        if not connection().is_usable():
            raise
        _give_up(inbox_id, error)


def _give_up(inbox_id: int, error: Exception) -> None:
    logger.error("Inbox event %s could not be processed: %s", inbox_id, where(error))
    give_back(inbox_id, type(error).__name__, retry=True)
