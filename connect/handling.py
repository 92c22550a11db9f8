"""Owns calling the handlers of an event: each alone, once, in the event's account."""

from __future__ import annotations

import inspect
import json
import logging
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.db import transaction

from connect import conf, telemetry
from connect.attempts import fail, lock, wait_for_twin
from connect.context import account
from connect.router import Route, routes_for
from django_stripe.database import ALIAS, connection
from django_stripe.event import Event
from django_stripe.failure import where

logger = logging.getLogger(__name__)

HANDLED: Final = """
UPDATE connect_inboxevent
SET state = 'processed', processed_at = now(), next_attempt_at = NULL, error = '', handled_by = %s WHERE id = %s
"""


def handle(inbox_id: int, event: Event) -> None:
    """Call every handler that is not done with the event, each in a savepoint, and record how far it is.

    Runs in a transaction of the caller's, which holds the event's lock when it returns. Does nothing if the
    event is done, or somebody else is at it.
    """
    if conf.webhook_secrets(conf.THIN):
        wait_for_twin(inbox_id)
    pending = lock(inbox_id)
    if pending is None:
        return
    problems = []
    for route in routes_for(event):
        if route.name in pending.handled_by:
            continue
        try:
            span = telemetry.span("connect.handler", handler=route.name, event_type=event.type)
            # The savepoint after the account: rolled back to, it is of this one and no other.
            with span, account(event.account), transaction.atomic(ALIAS):
                _call(route, event)
        except Exception as error:  # noqa: BLE001 - it is the handler's alone: the others and the mirror go on
            logger.error(
                "Handler %s failed for event %s (%s): %s",
                route.name,
                event.id,
                event.type,
                where(error),
            )
            problems.append(f"{route.name}: {type(error).__name__}")
        else:
            pending.handled_by.append(route.name)
    if problems:
        fail(pending, "; ".join(problems), retry=True)
        return
    with connection().cursor() as cursor:
        cursor.execute(HANDLED, [json.dumps(pending.handled_by), pending.id])
    telemetry.count("processed")


def _call(route: Route, event: Event) -> None:
    handler: Any = route.handler
    result = (
        async_to_sync(handler)(event) if inspect.iscoroutinefunction(handler) else handler(event)
    )
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(f"{route.name} returned a coroutine: define it with `async def`.")
