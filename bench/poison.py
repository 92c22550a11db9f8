"""Owns what poison costs the rest, in turns with none: `python -m bench.poison`, in a process of its own."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from itertools import count
from random import Random
from statistics import median
from time import perf_counter
from typing import Final

import django
from django.core.management import call_command
from django.db import connection, transaction

from bench import report
from bench.delivery import delivery

PAIRS: Final = 15
WITHOUT_HANDLERS_EVENTS: Final = 2_000
WITH_HANDLERS_EVENTS: Final = 300
SHARE: Final = 0.01
FLOOR: Final = 0.9

UNSTORABLE: Final = (rb"\u0000", rb"\ud800")
"""What jsonb refuses of what a customer can fill in. (Numbers it refuses cost more; Stripe sends none.)"""
PLACE: Final = b'"channel": "'

_failing: Final[set[str]] = set()
"""The ids of the events at which the handler fails."""
_slices: Final = count()


def _main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.ours.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    # What fails is logged, with where; that is paid for, and not read.
    for name in ("connect", "django_stripe"):
        logging.getLogger(name).addHandler(logging.StreamHandler(_Nowhere()))
        logging.getLogger(name).propagate = False
    _measure("poison_drain", WITHOUT_HANDLERS_EVENTS, _spoil)

    import connect  # noqa: PLC0415 - models can be loaded only now

    @connect.on("charge.*")
    def fails_at_some(event: connect.Event) -> None:
        if event.id in _failing:
            raise LookupError

    _measure("poison_handlers", WITH_HANDLERS_EVENTS, _let_fail)


def _measure(name: str, events: int, poison: Callable[[list[bytes]], list[bytes]]) -> None:
    _turn(events, list, 0)  # everything is loaded, and the tables are there
    poisoned = round(events * SHARE)
    clean_rates, rates = [], []
    for pair in range(PAIRS):
        # The first of two has the smaller tables: they take turns at that, too.
        turns = [(clean_rates, list, 0), (rates, poison, poisoned)]
        for results, change, failed in turns if pair % 2 else turns[::-1]:
            results.append(_turn(events, change, failed))
    ratio = median(r / c for r, c in zip(rates, clean_rates, strict=True))
    report.line(name, median(rates), "events/s", ratio, "the same without poison")
    report.floor(name, ratio, FLOOR)


def _turn(events: int, change: Callable[[list[bytes]], list[bytes]], failed: int) -> float:
    """Store deliveries, and return how many that are not poisoned are drained a second."""
    from connect.draining import drain  # noqa: PLC0415 - models can be loaded only now
    from connect.inbox import receive  # noqa: PLC0415
    from django_stripe.event import parse_event  # noqa: PLC0415

    first = next(_slices) * WITHOUT_HANDLERS_EVENTS
    bodies = change([delivery(number) for number in range(first, first + events)])
    _execute("TRUNCATE connect_inboxevent, stripe_charge")
    with transaction.atomic():
        for body in bodies:
            receive(parse_event(body), endpoint="connect")
    _execute("VACUUM ANALYZE connect_inboxevent")
    _execute("CHECKPOINT")
    gc.collect()
    started = perf_counter()
    drain()
    seconds = perf_counter() - started
    _verify(events - failed)
    return (events - failed) / seconds


def _spoil(bodies: list[bytes]) -> list[bytes]:
    """Return the deliveries, some of them with what jsonb refuses."""
    for turn, place in enumerate(_places(bodies)):
        unstorable = UNSTORABLE[turn % len(UNSTORABLE)]
        bodies[place] = bodies[place].replace(PLACE, PLACE + unstorable, 1)
    return bodies


def _let_fail(bodies: list[bytes]) -> list[bytes]:
    """Return the deliveries; at some of them, the handler is going to fail."""
    from django_stripe.event import parse_event  # noqa: PLC0415 - models can be loaded only now

    _failing.update(parse_event(bodies[place]).id for place in _places(bodies))
    return bodies


def _places(bodies: list[bytes]) -> list[int]:
    """Choose among the second events of their objects: the first would not be written, where both are at hand."""
    second = [place for place, body in enumerate(bodies) if b'"charge.refunded"' in body]
    chance = Random(len(bodies))  # noqa: S311 - no secret
    return chance.sample(second, round(len(bodies) * SHARE))


def _verify(processed: int) -> None:
    from connect.models import InboxEvent  # noqa: PLC0415 - models can be loaded only now

    found = InboxEvent.objects.filter(state="processed").count()
    if found != processed:
        raise SystemExit(f"{found} events are processed, not {processed}.")


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


class _Nowhere:
    """A file that nobody reads."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...


if __name__ == "__main__":
    _main()
