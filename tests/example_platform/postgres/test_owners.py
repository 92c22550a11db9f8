"""What the embedded PostgreSQL promises: it runs as long as it has an owner, however those end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from example_platform import postgres
from tests.example_platform.postgres.conftest import (
    KEEP,
    Owner,
    execute,
    is_free,
    postmaster_pid,
    python,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_server_stops_when_its_owner_is_killed(home: Path, owner: Callable[..., Owner]) -> None:
    killed = owner(home)
    data, socket, _ = killed.facts
    killed.kill()
    wait_until(lambda: is_free(data))
    assert not socket.exists()
    assert not (data / "cluster" / "postmaster.pid").exists()


def test_a_throw_away_server_is_removed_when_its_owner_is_killed(
    owner: Callable[..., Owner],
) -> None:
    killed = owner()
    data, socket, _ = killed.facts
    killed.kill()
    wait_until(lambda: not data.exists() and not socket.exists())


def test_an_owner_killed_while_the_cluster_is_made_leaves_no_half_of_it(
    empty: Path, owner: Callable[..., Owner]
) -> None:
    killed = owner(empty)
    wait_until((empty / "cluster.unfinished").exists)
    killed.kill()
    with postgres.running(empty) as server:
        assert execute(server.url, "SELECT 1") == 1


def test_the_server_lives_until_its_last_owner_leaves(
    home: Path, owner: Callable[..., Owner]
) -> None:
    first = owner(home)
    _, socket, url = first.facts
    with postgres.running(home) as second:
        assert second.socket_directory == socket
        assert second.url == url
        first.leave()
        assert execute(second.url, "SELECT 1") == 1
    wait_until(lambda: is_free(home))
    assert not socket.exists()


def test_the_server_outlives_its_killed_starter_while_another_holds_it(
    home: Path, owner: Callable[..., Owner]
) -> None:
    first = owner(home)
    assert first.facts
    with postgres.running(home) as second:
        first.kill()
        time.sleep(0.2)
        assert execute(second.url, "SELECT 1") == 1


def test_owners_that_come_at_once_share_one_server(
    empty: Path, owner: Callable[..., Owner]
) -> None:
    together = [owner(empty) for _ in range(6)]
    assert len({one.facts for one in together}) == 1
    for one in together:
        one.leave()
    assert is_free(empty)


def test_owners_that_come_and_go_always_find_a_server(home: Path) -> None:
    script = """
import sys
from pathlib import Path
import psycopg
from example_platform import postgres
for _ in range(5):
    with postgres.running(Path(sys.argv[1])) as server, psycopg.connect(server.url) as connection:
        connection.execute("SELECT 1")
"""
    visitors = [python(script, home) for _ in range(4)]
    for visitor in visitors:
        visitor.communicate(timeout=30)
    assert [visitor.returncode for visitor in visitors] == [0] * 4


def test_a_fork_does_not_stop_the_server_of_its_parent() -> None:
    script = """
import os, sys
import psycopg
from example_platform import postgres
with postgres.running() as server:
    if (child := os.fork()) == 0:
        sys.exit()
    os.waitpid(child, 0)
    psycopg.connect(server.url).close()
"""
    parent = python(script)
    parent.communicate(timeout=30)
    assert parent.returncode == 0


def test_ending_without_a_stop_is_silent(home: Path) -> None:
    script = """
import sys
from pathlib import Path
from example_platform import postgres
postgres.start(Path(sys.argv[1]))
"""
    ended = python(script, home, stderr=subprocess.PIPE)
    assert ended.communicate(timeout=30) == ("", "")
    wait_until(lambda: is_free(home))


def test_the_output_of_the_starter_is_not_kept_open_by_the_server(
    home: Path, owner: Callable[..., Owner]
) -> None:
    starter = owner(home, stderr=subprocess.PIPE)
    assert starter.facts
    with postgres.running(home):
        starter.leave()


def test_a_killed_postmaster_does_not_stand_in_the_way_of_the_next(home: Path) -> None:
    server = postgres.start(home)
    execute(server.url, KEEP)
    os.kill(postmaster_pid(server), signal.SIGKILL)
    wait_until(lambda: not server.socket_directory.exists())
    with postgres.running(home) as revived:
        assert execute(revived.url, "SELECT answer FROM kept") == 42
    postgres.stop(server)


def test_the_server_ends_cleanly_when_its_watcher_is_killed(home: Path) -> None:
    server = postgres.start(home)
    watcher_pid = postgres._holds[server].watcher_pid
    assert watcher_pid
    os.kill(watcher_pid, signal.SIGKILL)
    with postgres.running(home) as next_one:
        assert execute(next_one.url, "SELECT 1") == 1
        assert "was not properly shut down" not in (home / "server.log").read_text()
    postgres.stop(server)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(server.socket_directory)
