"""`connect_worker` as a process: told to end, killed, and run by a scheduler."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from connect.models import InboxEvent
from tests.conftest import customer
from tests.connect.process import GATE
from tests.connect.working import effects, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
AT_THE_GATE = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def database_url():
    return make_conninfo(os.environ["DATABASE_URL"], dbname=connection.settings_dict["NAME"])


@contextmanager
def worker(*options):
    environment = os.environ | {
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.connect.process.settings",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "connect_worker", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def closed_gate():
    """Let the handlers wait during a block; yield what says whether one does."""
    with psycopg.connect(database_url(), autocommit=True) as gate:
        gate.execute("SELECT pg_advisory_lock(%s)", [GATE])
        yield lambda: gate.execute(AT_THE_GATE, [GATE]).fetchall()


def is_running(backend):
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [backend])
        return cursor.fetchone() is not None


@pytest.fixture
def two_events(deliver, settings):
    settings.CONNECT_PROCESSING = "worker"
    events = [deliver.event(value=customer(f"cus_{n}")) for n in range(2)]
    for event in events:
        deliver.post(event)
    return [event["id"] for event in events]


def states():
    return list(InboxEvent.objects.order_by("id").values_list("state", flat=True))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_told_to_end_it_ends_the_handler_it_is_at_and_begins_no_other(two_events, number):
    with worker() as process:
        with closed_gate() as is_reached:
            wait_until(is_reached)
            process.send_signal(number)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
        output, _ = process.communicate(timeout=20)
    assert process.returncode == 0, output
    assert "ready" in output
    assert "Traceback" not in output
    assert states() == ["processed", "mirrored"]
    assert effects() == two_events[:1]


def test_killed_in_the_middle_of_a_handler_it_has_done_nothing_and_the_next_one_does(two_events):
    with worker() as process, closed_gate() as is_reached:
        wait_until(is_reached)
        ((backend,),) = is_reached()
        process.kill()
        process.wait(20)
    # PostgreSQL notices when it has the next thing to tell it.
    wait_until(lambda: not is_running(backend))
    assert states() == ["mirrored", "mirrored"]
    assert effects() == []
    with worker("--once") as process:
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, states()) == (0, ["processed"] * 2), output
    assert sorted(effects()) == two_events


def test_once_it_does_what_is_due_and_ends(two_events):
    with worker("--once") as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert states() == ["processed"] * 2
    assert sorted(effects()) == two_events
