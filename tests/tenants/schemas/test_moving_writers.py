"""What is written while an account moves, under the old settings, is there in the end: or its writer was refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psycopg

from tests.tenants.rows import A

pytest_plugins = "tests.tenants.schemas.moved"

# A worker: one charge after the other, and one that changes each time, as events tell it. What is committed it says.
WRITER = """
import itertools, sys, threading, django
django.setup()
from dataclasses import replace
from datetime import timedelta
from django.db import connection, transaction
from django.utils import timezone
import connect
from django_stripe.mirroring import mirror
from tests.tenants.rows import A, snapshot

def told(stripe_id, n):
    value = snapshot(A, stripe_id, n)
    return replace(value, as_of=value.as_of + timedelta(days=1, seconds=n), requested_at=None,
        received_at=timezone.now(), event_id=f"evt_{stripe_id}_{n}", origin="event")

stopped, going = threading.Event(), threading.Event()
going.set()

def listen():
    for line in sys.stdin:
        going.set() if line == "go on\\n" else going.clear()
    stopped.set()
    going.set()

threading.Thread(target=listen, daemon=True).start()
for n in itertools.count(1000):
    if not going.is_set():
        print("pauses", flush=True)
        going.wait()
    if stopped.is_set():
        break
    try:
        with connect.account(A), transaction.atomic():
            # Not in the order in which the command locks the tables.
            mirror([replace(told("cus_w", n), object="customer")])
            mirror([told(f"ch_w{n}", n), told("ch_a1", n)])
    except Exception as error:
        connection.close()
        print(f"refused {n} {type(error).__name__}: {error}".splitlines()[0], flush=True)
        stopped.wait(0.05)
    else:
        print(f"written {n}", flush=True)
"""


class Writer:
    """Writes until it is stopped."""

    def __init__(self, own):
        self.lines = []
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            env=os.environ | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=lambda: self.lines.extend(self._process.stdout))
        self._reader.start()

    @property
    def written(self):
        return [int(line.split()[1]) for line in list(self.lines) if line.startswith("written")]

    @property
    def refused(self):
        """Of what it was refused, the reasons."""
        refused = [line for line in list(self.lines) if line.startswith("refused")]
        return {re.sub(r"^refused \d+ ", "", line).strip() for line in refused}

    def wait_for_more(self):
        before = len(self.written)
        self._wait_for(lambda: len(self.written) >= before + 3)

    def pause(self):
        self._say("pause")
        self._wait_for(lambda: "pauses\n" in self.lines)

    def goes_on_in_vain(self):
        """Return why it is refused all that it would write now."""
        before = len(self.written)
        self._say("go on")
        self._wait_for(lambda: self.refused)
        assert len(self.written) == before
        return self.refused

    def _say(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _wait_for(self, condition):
        until = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < until, self.lines[-3:]
            time.sleep(0.02)

    def stop(self):
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        self._reader.join()
        self._process.stdout.close()


@contextmanager
def writing(own):
    writer = Writer(own)
    try:
        writer.wait_for_more()
        yield writer
    finally:
        writer.stop()


def kept(platform, schema):
    """Return the numbers of the charges that a writer wrote, and the last state of the one that it changed."""
    found = platform.execute(
        f'SELECT stripe_id, amount FROM "{schema}".stripe_charge WHERE connect_account_id = %s', A
    )
    return {amount for name, amount in found if name.startswith("ch_w")}, dict(found)["ch_a1"]


def move_and_drop_too_early(move, writer):
    """Move A while the writer goes on, which lets nobody drop its source."""
    assert move(A).code == 0
    writer.wait_for_more()
    late = move("--drop", "--yes", A)
    writer.wait_for_more()
    writer.pause()
    assert late.code == 1
    assert "somebody wrote into its source since: move it again" in late.err
    assert writer.refused == set()


def test_to_schemas_all_that_was_written_meanwhile_is_there(platform):
    # As after `tenants_rls uninstall` under these settings; with policies that nobody signs for he would be refused.
    platform.execute("ALTER TABLE public.stripe_charge DISABLE ROW LEVEL SECURITY")
    platform.execute("ALTER TABLE public.stripe_customer DISABLE ROW LEVEL SECURITY")
    with writing(platform.of_rows) as writer:
        move_and_drop_too_early(platform.to_schemas, writer)
        assert kept(platform, A)[1] < writer.written[-1]
        for way in ((), ("--verify",), ("--drop", "--yes")):
            said = platform.to_schemas(*way)
            assert (said.err, said.code) == ("", 0)
        assert writer.goes_on_in_vain() == {
            'ProgrammingError: relation "stripe_customer" does not exist'
        }
    assert kept(platform, A) == (set(writer.written), writer.written[-1])


def test_to_rows_all_that_was_written_meanwhile_is_there(in_schemas):
    platform = in_schemas
    with writing(platform.of_schemas) as writer:
        move_and_drop_too_early(platform.to_rows, writer)
        for way in ((), ("--drop", "--yes")):
            said = platform.to_rows(*way, A)
            assert (said.err, said.code) == ("", 0)
        assert writer.goes_on_in_vain() == {
            'ProgrammingError: new row violates row-level security policy for table "stripe_customer"'
        }
    assert kept(platform, "public") == (set(writer.written), writer.written[-1])


def test_a_row_that_says_not_whose_it_is_written_while_its_schema_is_dropped_keeps_the_schema(
    in_schemas,
):
    platform = in_schemas
    assert platform.to_rows(A).code == 0
    said = []
    drop = threading.Thread(target=lambda: said.append(platform.to_rows("--drop", "--yes", A)))
    with psycopg.connect(platform.url) as other:
        other.execute(f"INSERT INTO \"{A}\".orders_order (number) VALUES ('1')")
        drop.start()
        until = time.monotonic() + 20
        while not platform.execute(
            "SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE datname = %s AND NOT granted",
            platform.name,
        ):
            assert time.monotonic() < until, said
            time.sleep(0.02)
    drop.join()
    assert said[0].code == 1
    assert f"{A}: orders_order in {A} have rows" in said[0].err
    assert platform.execute(f'SELECT number FROM "{A}".orders_order') == [("1",)]


def test_a_transaction_that_stays_open_is_waited_for_in_the_end(platform, monkeypatch):
    monkeypatch.setattr("tenants.reaching.LOCK_WAITS_MILLISECONDS", (20, 20, 0))
    with psycopg.connect(platform.url) as other:
        other.execute("SELECT stripe_id FROM public.stripe_charge")
        threading.Timer(0.5, other.commit).start()
        said = platform.to_schemas(A)
    assert (said.err, said.code) == ("", 0)
    assert len(platform.rows(A, A)["stripe_charge"]) == 3
