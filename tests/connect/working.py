"""Owns workers in threads of the test's process, and what handlers leave behind for it to count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.db import connection

from connect.worker import Worker
from django_stripe.charge.models import Charge

END_SECONDS_MAX = 20


def wait_until(condition: Callable[[], object]) -> None:
    """Return when `condition` is met. It has to be within some seconds, of which it takes few milliseconds."""
    ends_at = time.monotonic() + END_SECONDS_MAX
    while not condition():
        assert time.monotonic() < ends_at, "it did not come to that"
        time.sleep(0.005)


@contextmanager
def working(workers: int) -> Iterator[None]:
    """Have so many workers at work during a block. What ends one of them early is raised after it."""
    running = [Worker() for _ in range(workers)]
    problems: list[BaseException] = []

    def run(worker: Worker) -> None:
        try:
            worker.run()
        except BaseException as problem:  # noqa: BLE001 - for the test to see
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(worker,), daemon=True) for worker in running]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for worker in running:
            worker.stop()
        for thread in threads:
            thread.join(END_SECONDS_MAX)
        assert not any(thread.is_alive() for thread in threads), "a worker does not end"
    assert not problems, problems


def leave_an_effect(event) -> None:
    """Do to the database what can be counted, and what nothing keeps from happening twice."""
    Charge.objects.create(stripe_id=f"{event.id} {uuid4()}")


def effects() -> list[str]:
    """Return the ids of the events that effects were left for, in no order."""
    ids = Charge.objects.filter(stripe_id__contains=" ").values_list("stripe_id", flat=True)
    return [stripe_id.split()[0] for stripe_id in ids]
