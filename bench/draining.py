"""Owns the rate of draining the inbox beside the limit, in turns: `python -m bench.draining`, in its own process."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Final

import django
import psycopg
from django.core.management import call_command
from django.db import transaction

from bench import raw_copy, report
from bench.delivery import delivery
from bench.payload import payload

TURNS: Final = 5
SLICE_EVENTS: Final = 5_000
FLOOR: Final = 0.4


def _main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.ours.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        turns = [_turn(connection, turn * SLICE_EVENTS) for turn in range(TURNS)]
    seconds, raw_seconds = (list(each) for each in zip(*turns, strict=True))
    ratio = report.median_ratio(seconds, raw_seconds)
    report.line("drain", SLICE_EVENTS / median(seconds), "events/s", ratio, "raw COPY")
    report.floor("drain", ratio, FLOOR)


def _turn(connection: psycopg.Connection, first: int) -> tuple[float, float]:
    """Store deliveries, and return in how many seconds they are drained, and their objects are copied."""
    # Models can be loaded only now.
    from connect.draining import drain  # noqa: PLC0415
    from connect.inbox import receive  # noqa: PLC0415
    from connect.models import InboxEvent  # noqa: PLC0415
    from django_stripe.event import parse_event  # noqa: PLC0415
    from django_stripe.snapshot import event_snapshot  # noqa: PLC0415
    from django_stripe.upsert import clock  # noqa: PLC0415

    events = [parse_event(delivery(number)) for number in range(first, first + SLICE_EVENTS)]
    with transaction.atomic():
        for event in events:
            receive(event, endpoint="connect")
    now = clock()
    rows = raw_copy.encode(
        replace(event_snapshot(event, received_at=now), payload=payload(dict(event.object)))
        for event in events
    )
    raw_copy.empty(connection)
    connection.execute("ANALYZE connect_inboxevent")
    gc.collect()
    raw_seconds = raw_copy.copy(connection, rows)
    started = perf_counter()
    drain()
    seconds = perf_counter() - started
    left = InboxEvent.objects.exclude(state="processed").count()
    if left:
        raise SystemExit(f"{left} events are not processed.")
    return seconds, raw_seconds


if __name__ == "__main__":
    _main()
