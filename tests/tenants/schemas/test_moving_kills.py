"""The command may be killed at any moment and run again: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import signal

from tests.tenants.rows import A, B
from tests.tenants.schemas.moved import C

pytest_plugins = "tests.tenants.schemas.moved"


KILLED = """
import os, signal, django
django.setup()
from django.core.management import call_command
from tenants import moving
"""


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
    said = platform.to_schemas(A)
    assert (said.err, said.code) == ("", 0)
    assert "rows moved" not in said.out
    assert platform.execute("SELECT schema_name, state FROM tenants_merchant") == [(A, "ready")]
