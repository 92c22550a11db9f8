"""The command may be killed at any moment and run again: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys

import psycopg
from psycopg import sql

from connect.processing import UNKNOWN_ACCOUNT
from tests.tenants.rows import A, B
from tests.tenants.schemas.moved import ACCOUNTS, C

pytest_plugins = "tests.tenants.schemas.moved"

KILLED = """
import os, signal, django
django.setup()
from django.core.management import call_command
from tenants import moving
"""

# Django is loaded once, and each run is a process of its own: forked, and ended as it was told. "killed": by itself,
# after so many statements; "stopped": by its parent, after so many milliseconds, wherever it is; "terminated": by
# PostgreSQL, which ends its connection, after so many statements; "": not at all.
FUSES = """
import json, os, signal, sys, time, django
django.setup()
import psycopg
from django.core.management import call_command
from django.db import connections

alias, url, *arguments = json.loads(sys.argv[1])

def run(how, at):
    left = [at if how in {"killed", "terminated"} else -1]
    def fuse(execute, sql, params, many, context):
        left[0] -= 1
        if left[0] == 0 and how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if left[0] == 0:
            with psycopg.connect(url) as other:
                pid = connections[alias].connection.info.backend_pid
                other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return execute(sql, params, many, context)
    connections[alias].execute_wrappers.append(fuse)
    try:
        call_command(*arguments)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)

for line in sys.stdin:
    how, at = json.loads(line)
    pid = os.fork()
    if not pid:
        os.dup2(2, 1)
        run(how, at)
    if how == "stopped":
        time.sleep(at / 1000)
        os.kill(pid, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

OBJECTS = ("stripe_charge", "stripe_customer")
ROWS = "SELECT to_jsonb(t)::text FROM {} t WHERE connect_account_id = {} ORDER BY 1"
GONE = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)


class Runs:
    """Runs of the command, each with a fuse."""

    def __init__(self, platform, *arguments):
        url = platform.url_of(platform.owner)
        alias, own = "default", {"DATABASE_URL": url}
        if "rows" in arguments:
            alias, own = "owner", platform.of_rows
        self._process = subprocess.Popen(
            [sys.executable, "-c", FUSES, json.dumps([alias, url, "tenants_move", *arguments])],
            env=os.environ | own,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, how="", at=0):
        """Return how the process ended: less than 0, by that signal."""
        self._process.stdin.write(json.dumps([how, at]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self):
        """Return what they all said."""
        return self._process.communicate(timeout=20)[1]


def held(platform, *, of_rows):
    """Return the rows of each account on one side, table by table; what is not there has none."""
    found = {}
    with psycopg.connect(platform.url, autocommit=True) as connection:
        for account, table in itertools.product(ACCOUNTS, OBJECTS):
            place = sql.Identifier("public" if of_rows else account or "platform", table)
            try:
                rows = connection.execute(sql.SQL(ROWS).format(place, account)).fetchall()
            except GONE:
                rows = []
            found[account, table] = [row for (row,) in rows]
    return found


def all_or_none(found, before):
    """Say whether each account has all its rows, or none."""
    whole = {account for (account, _), rows in found.items() if rows}
    return found == {key: rows if key[0] in whole else [] for key, rows in before.items()}


def burn(platform, arguments, moments, proof):
    """Run the command with each of `moments`, kinds and ranges, and then to its end."""
    runs, ended, chosen = Runs(platform, *arguments), [], random.SystemRandom()
    try:
        for how, low, high in moments:
            at = chosen.randrange(low, high)
            ended.append(runs.run(how, at))
            proof(f"{how} at {at}, ended {ended}")
        last = runs.run()
    finally:
        said = runs.end()
    assert last == 0, said
    proof(f"in the end, {ended}, {said}")
    # By itself, or its connection.
    assert {-signal.SIGKILL, 1} <= set(ended), ended


# Kinds and ranges: of what is left to do, ever later. Not each hits: where nothing is left, the run ends before.
MOVING = [
    ("killed", 1, 60),
    ("killed", 60, 250),
    ("stopped", 50, 1200),
    ("terminated", 1, 60),
    ("killed", 1, 250),
]
DROPPING = [
    ("killed", 1, 30),
    ("terminated", 1, 30),
    ("stopped", 50, 600),
    ("killed", 1, 150),
]


def moved_there(platform, before, *, to_rows):
    """Return the proof that, while they move, all rows are where they were, and there whole accounts or none."""

    def proof(moment):
        assert held(platform, of_rows=not to_rows) == before, moment
        assert all_or_none(held(platform, of_rows=to_rows), before), moment

    return proof


def test_to_schemas_whenever_it_is_killed_each_account_is_there_as_a_whole_or_not_at_all(platform):
    before = held(platform, of_rows=True)
    burn(platform, ["--to", "schemas"], MOVING, moved_there(platform, before, to_rows=False))
    assert held(platform, of_rows=False) == before
    opened = "SELECT count(*) FROM tenants_merchant WHERE state = 'ready'"
    assert platform.execute(opened) == [(len(ACCOUNTS),)]
    drop = ["--to", "schemas", "--drop", "--yes"]
    burn(platform, drop, DROPPING, moved_there(platform, before, to_rows=True))
    assert not platform.tables("public") & set(OBJECTS)
    assert not any(held(platform, of_rows=True).values())


def test_to_rows_whenever_it_is_killed_each_account_is_there_as_a_whole_or_not_at_all(in_schemas):
    platform = in_schemas
    assert platform.to_schemas("--drop", "--yes").code == 0
    before = held(platform, of_rows=False)
    burn(platform, ["--to", "rows"], MOVING, moved_there(platform, before, to_rows=True))
    assert held(platform, of_rows=True) == before
    drop = ["--to", "rows", "--drop", "--yes"]
    burn(platform, drop, DROPPING, moved_there(platform, before, to_rows=False))
    assert not any(map(platform.tables, ("platform", A, B, C)))


def test_killed_in_the_middle_it_goes_on_where_it_was(platform):
    before = platform.all_rows(of_rows=True)
    script = f"""{KILLED}
copy = moving.copy
def killed(cursor, table, account):
    count = copy(cursor, table, account)
    if account == {B!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return count
moving.copy = killed
call_command("tenants_move", "--to", "schemas")
"""
    said = platform.under_schemas(script)
    assert said.code == -signal.SIGKILL, said.err
    assert platform.rows(A, A) == before[A]
    assert not platform.tables(B) | platform.tables(C)
    said = platform.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert [line.split(":")[0] for line in said.out.splitlines() if "rows moved" in line] == [B, C]
    assert platform.all_rows(of_rows=False) == before


def test_killed_before_the_merchant_is_opened_it_is_opened_the_next_time(platform):
    script = f"""{KILLED}
moving.provision = lambda account: os.kill(os.getpid(), signal.SIGKILL)
call_command("tenants_move", "--to", "schemas", {A!r})
"""
    assert platform.under_schemas(script).code == -signal.SIGKILL
    assert platform.execute("SELECT * FROM tenants_merchant") == []
    # Or nobody would know any more that it is to be opened.
    said = platform.to_schemas("--drop", "--yes", A)
    assert (said.code, "its merchant is not opened yet: move it again" in said.err) == (1, True)
    assert len(platform.rows("public", A)["stripe_charge"]) == 3
    said = platform.to_schemas(A)
    assert (said.err, said.code) == ("", 0)
    assert "rows moved" not in said.out
    assert platform.execute("SELECT schema_name, state FROM tenants_merchant") == [(A, "ready")]


def test_killed_before_the_events_that_waited_are_let_go_they_are_the_next_time(platform):
    platform.execute(
        "UPDATE connect_inboxevent SET state = 'parked', error = %s WHERE connect_account_id = %s",
        UNKNOWN_ACCOUNT,
        A,
    )
    script = f"""{KILLED}
from tenants import provisioning
provisioning.replay_parked = lambda account: os.kill(os.getpid(), signal.SIGKILL)
call_command("tenants_move", "--to", "schemas", {A!r})
"""
    assert platform.under_schemas(script).code == -signal.SIGKILL
    state = f"SELECT state FROM connect_inboxevent WHERE connect_account_id = '{A}'"
    assert platform.execute(state) == [("parked",)]
    assert platform.to_schemas(A).code == 0
    assert platform.execute(state) != [("parked",)]
