"""Owns draining: what waits in a lane becomes rows by the batch, and then handlers hear of it, one event at a time.

Every step is a transaction that begins by locking lanes, and leaves nothing behind that the next one would
need to know: a worker may be killed at any moment, and any other goes on from the last commit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from connect import lanes
from connect.attempts import State, give_back, try_again_due
from connect.batch import Batch
from connect.context import every_account
from connect.handling import handle
from connect.inbox import stored_event
from connect.lanes import START, LaneKey, Waiting, waiting
from connect.processing import mirror_stored, process
from connect.router import routes_for
from connect.unsettled import settle_in_account
from django_stripe.database import ALIAS, connection
from django_stripe.failure import where

logger = logging.getLogger(__name__)

RECEIVED: Final = str(State.RECEIVED)
MIRRORED: Final = str(State.MIRRORED)

TURN_SECONDS_MAX: Final = 1.0
"""How long the handlers of one lane are called before the other lanes have their turn."""
SETTLE_AGAIN_SECONDS: Final = 60.0
"""How long nobody waits for Stripe after it did not answer: `settle_due` asks later."""


def drain(lane: LaneKey | None = None) -> int:
    """Work until nothing waits, in all lanes or one; return how many steps were done.

    What a wake-up of any scheduler calls. It may be called by any number of processes at a time; where another
    is at work in a lane, that one also sees what came in meanwhile.
    """
    return Drainer().drain(lane)


@dataclass(slots=True)
class Drainer:
    """One worker's way through the lanes."""

    stopping: Callable[[], bool] = lambda: False
    is_behind: bool = False
    """Whether the last round left something that it could have done, had it been longer."""
    _settle_again_at: float = 0.0

    def drain(self, lane: LaneKey | None = None) -> int:
        """Work until nothing waits that nobody else is at; return how many steps were done."""
        total = 0
        while moved := self.round(lane):
            total += moved
        return total

    def round(self, lane: LaneKey | None = None) -> int:
        """Give every lane that waits a turn, or only `lane`; return how many steps events were brought further."""
        self.is_behind = False
        with every_account():
            try_again_due()
            if lane is not None:
                return self._page([Waiting(*lane, state) for state in (RECEIVED, MIRRORED)])[0]
            moved, at = 0, START
            while not self.stopping() and (page := waiting(at)):
                steps, at = self._page(page)
                moved += steps
            return moved

    def _page(self, page: list[Waiting]) -> tuple[int, Waiting]:
        """Mirror what a page of lanes received, and call the handlers; return the steps, and how far on the page."""
        batch = self._mirror([each.lane for each in page if each.state == RECEIVED])
        at = page[-1]
        if batch.is_full:
            self.is_behind = True
            at = Waiting(*batch.taken[-1].lane, RECEIVED)
        moved = len(batch.taken)
        self._retrieve(batch)
        to_handle = {each.lane for each in page if each.state == MIRRORED and each <= at}
        to_handle |= batch.for_handlers | {taken.lane for taken in batch.thin}
        for lane in sorted(to_handle):
            moved += self._handle(lane)
        return moved, at

    def _mirror(self, of: list[LaneKey]) -> Batch:
        batch = Batch()
        if not of:
            return batch
        held = connection().connection
        try:
            batch.mirror(of)
        except Exception as error:
            if _was_cut(held):
                raise
            logger.error("A batch is processed one by one: %s", where(error))
            for taken in batch.taken:
                with _alone(taken.inbox_id):
                    process(taken.inbox_id)
            batch.verdicts.clear()
        else:
            self._settle(batch)
        return batch

    def _retrieve(self, batch: Batch) -> None:
        """Ask Stripe for the objects of thin events, for up to a second; the rest are taken again in the next round."""
        ends_at = time.monotonic() + TURN_SECONDS_MAX
        for taken in batch.thin:
            if self.stopping():
                break
            with _alone(taken.inbox_id):
                event = stored_event(taken.inbox_id)
                mirror_stored(taken.inbox_id, event, done=not routes_for(event))
            if time.monotonic() > ends_at:
                self.is_behind = True
                break

    def _settle(self, batch: Batch) -> None:
        """Ask Stripe for what handlers are about to read; the rest waits for `settle_due`."""
        if time.monotonic() < self._settle_again_at:
            return
        for model, key in batch.unsettled:
            if key in batch.awaited and not settle_in_account(model, key, turns=1):
                self._settle_again_at = time.monotonic() + SETTLE_AGAIN_SECONDS
                return

    def _handle(self, lane: LaneKey) -> int:
        """Call the handlers of one lane's events, one after the other, for up to a second; return of how many."""
        ends_at = time.monotonic() + TURN_SECONDS_MAX
        moved = 0
        while not self.stopping() and _handle_next(lane):
            moved += 1
            if time.monotonic() > ends_at:
                self.is_behind = True
                break
        return moved


def _handle_next(lane: LaneKey) -> bool:
    """Call the handlers of the lane's next event in one transaction; False: there is none that nobody else is at."""
    inbox_id = None
    held = connection().connection
    try:
        with transaction.atomic(ALIAS):
            inbox_id = lanes.next_mirrored(lane)
            if inbox_id is not None:
                handle(inbox_id, stored_event(inbox_id))
    except Exception as error:
        # What fails when the transaction ends is this event's too.
        if inbox_id is None or _was_cut(held):
            raise
        _give_up(inbox_id, error)
    return inbox_id is not None


@contextmanager
def _alone(inbox_id: int) -> Iterator[None]:
    """Keep what goes wrong with an event to that event."""
    held = connection().connection
    try:
        yield
    except Exception as error:
        if _was_cut(held):
            raise
        _give_up(inbox_id, error)


def _was_cut(held: Any) -> bool:
    """Say whether it was the connection that failed, and no event: by now, Django may have made another one."""
    return (held is not None and held.closed) or not connection().is_usable()


def _give_up(inbox_id: int, error: Exception) -> None:
    logger.error("Inbox event %s could not be processed: %s", inbox_id, where(error))
    give_back(inbox_id, type(error).__name__, retry=True)
