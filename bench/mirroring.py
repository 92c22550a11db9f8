"""Owns the rates of the mirror beside the limit, in turns: `python -m bench.mirroring`, in a process of its own."""

from __future__ import annotations

import gc
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from time import perf_counter
from typing import Any, Final

import django
import psycopg
from django.core.management import call_command

from bench import raw_copy, report
from bench.charge import account_id, charge, refunded
from bench.payload import payload
from django_stripe import Snapshot, mirror
from django_stripe.mirroring import Outcome

ROWS: Final = 30_000
SLICE_ROWS: Final = 5_000
PASSES: Final = 2
PAGE_ROWS: Final = 100
"""As many as Stripe lists at once."""
FLOOR: Final = 0.6

FIRST_SEEN: Final = datetime(2026, 7, 1, tzinfo=UTC)
SEEN_AGAIN: Final = FIRST_SEEN + timedelta(days=1)


def listed(number: int, value: dict[str, Any], at: datetime) -> Snapshot:
    """Return the charge of this number as Stripe lists it at a time."""
    return Snapshot(
        object="charge",
        account=account_id(number),
        livemode=False,
        stripe_id=value["id"],
        as_of=at,
        origin="list",
        requested_at=at,
        received_at=at + timedelta(milliseconds=300),
        payload=payload(value),
    )


def told(number: int, value: dict[str, Any]) -> Snapshot:
    """Return the charge of this number as the event of its success tells it."""
    event = {
        "id": f"evt_{number:024}",
        "object": "event",
        "account": account_id(number),
        "created": value["created"],
        "data": {"object": value},
        "livemode": False,
        "type": "charge.succeeded",
    }
    return Snapshot(
        object="charge",
        account=account_id(number),
        livemode=False,
        stripe_id=value["id"],
        as_of=datetime.fromtimestamp(value["created"], UTC),
        origin="event",
        received_at=FIRST_SEEN,
        payload=payload(event),
        path="{data,object}",
        event_id=f"evt_{number:024}",
        event_type="charge.succeeded",
    )


@dataclass(frozen=True)
class Measure:
    """Snapshots that are mirrored, so many a call."""

    name: str
    snapshots: Sequence[Snapshot]
    rows_a_call: int = SLICE_ROWS
    writes: bool = True

    def take(self, part: slice) -> float:
        """Return in how many seconds a part of them is mirrored."""
        calls = [
            self.snapshots[start : start + self.rows_a_call]
            for start in range(part.start, part.stop, self.rows_a_call)
        ]
        started = perf_counter()
        outcomes = [mirror(snapshots) for snapshots in calls]
        seconds = perf_counter() - started
        self._verify(outcomes)
        return seconds

    def _verify(self, outcomes: Sequence[Outcome]) -> None:
        """End the run if the mirror has not done the work."""
        written = sum(outcome.written for outcome in outcomes)
        left_open = sum(len(o.refused) + len(o.unsettled) + o.not_installed for o in outcomes)
        if written != SLICE_ROWS * self.writes or left_open:
            raise SystemExit(f"{self.name}: {written} rows were written, {left_open} left open.")


class Measures:
    """The seconds of each measure and of the limit beside it, by name and slice."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.raw_seconds: dict[str, list[float]] = defaultdict(list)
        charges = [charge(number) for number in range(ROWS)]
        self.listed = [listed(*each, FIRST_SEEN) for each in enumerate(charges)]
        self.newer = [listed(n, refunded(c), SEEN_AGAIN) for n, c in enumerate(charges)]
        self.events = [told(*each) for each in enumerate(charges)]

    def run(self) -> None:
        """Take all measures."""
        for _ in range(PASSES):
            self._pass(Measure("mirror", self.listed), Measure("mirror_newer", self.newer))
        self._pass(Measure("mirror_pages", self.listed, rows_a_call=PAGE_ROWS))
        self._pass(
            Measure("mirror_events", self.events),
            Measure("mirror_events_replayed", self.events, writes=False),
        )

    def _pass(self, *measures: Measure) -> None:
        """Fill the tables slice by slice, in turns, so that what else the machine does slows all alike."""
        raw_copy.empty(self.connection)
        self.connection.execute("TRUNCATE stripe_charge")
        for start in range(0, ROWS, SLICE_ROWS):
            part = slice(start, start + SLICE_ROWS)
            rows = raw_copy.encode(self.listed[part])
            gc.collect()
            raw_seconds = raw_copy.copy(self.connection, rows)
            for measure in measures:
                self.seconds[measure.name].append(measure.take(part))
                self.raw_seconds[measure.name].append(raw_seconds)


def _main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.ours.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        measures = Measures(connection)
        measures.run()
    for name, seconds in measures.seconds.items():
        ratio = report.median_ratio(seconds, measures.raw_seconds[name])
        report.line(name, SLICE_ROWS / median(seconds), "rows/s", ratio, "raw COPY")
        if name == "mirror":
            report.floor(name, ratio, FLOOR)
    report.line(
        "raw_copy", SLICE_ROWS / median(measures.raw_seconds["mirror"]), "rows/s", 1, "raw COPY"
    )


if __name__ == "__main__":
    _main()
