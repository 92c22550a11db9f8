"""Owns waking up whoever processes: after an event is stored, a job of a scheduler may drain its lane at once.

``CONNECT_WAKE_UP = "connect.wake_ups.celery.wake_up"`` (or ``….django_tasks.wake_up``, ``….procrastinate.wake_up``)
names what is called. A job is a wake-up and nothing else: order, retries and exactly-once are the inbox's, so a job
that is lost, late or doubled harms nothing. Run `connect_worker --once` every minute beside it: for what failed and is
due again, and for what no job came for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import cast

from django.utils.module_loading import import_string

from connect.conf import wake_up_path
from connect.draining import drain
from connect.lanes import LaneKey
from connect.unsettled import settle_due
from django_stripe.event import Event
from django_stripe.failure import where

logger = logging.getLogger(__name__)

WakeUp = Callable[[str, bool], object]
"""Given a lane: the key of an account (``""``: the platform) and the mode."""


def wake_up(event: Event) -> None:
    """Tell whoever is to process `event`, which is stored; whatever fails is logged, and a worker finds it anyway."""
    path = wake_up_path()
    if path:
        try:
            _find(path)(event.connect_account_id, event.livemode)
        except Exception as error:  # noqa: BLE001 - the event is stored: Stripe need not send it again
            logger.error("CONNECT_WAKE_UP failed for event %s: %s", event.id, where(error))


def work(connect_account_id: str, livemode: bool) -> None:
    """Drain one lane: what the job of any scheduler does."""
    drain(LaneKey(connect_account_id, livemode))
    settle_due()


@cache
def _find(path: str) -> WakeUp:
    return cast("WakeUp", import_string(path))
