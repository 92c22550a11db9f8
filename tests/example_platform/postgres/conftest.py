"""Data directories, and other processes that hold the servers of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from example_platform import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[3]
GONE_SECONDS_MAX = 5

KEEP = "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 42 AS answer"

# Holds a server until its input ends: of the directory in its argument, otherwise a throw-away one.
OWNER = """
import sys
from pathlib import Path
from example_platform import postgres
with postgres.running(*map(Path, sys.argv[1:])) as server:
    print(server.data_directory, server.socket_directory, server.url, sep="\\n", flush=True)
    sys.stdin.read()
"""


def python(script: str, *arguments: Path, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        **options,
    )


class Owner:
    """Another process that holds a server."""

    def __init__(self, *arguments: Path, **options: Any) -> None:
        self.process = python(OWNER, *arguments, stdin=subprocess.PIPE, **options)

    @property
    def facts(self) -> tuple[Path, Path, str]:
        assert self.process.stdout
        data, socket, url = (self.process.stdout.readline().strip() for _ in range(3))
        return Path(data), Path(socket), url

    def leave(self) -> None:
        self.process.communicate(timeout=GONE_SECONDS_MAX)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=GONE_SECONDS_MAX)


@pytest.fixture(name="owner")
def _owner() -> Iterator[Callable[..., Owner]]:
    owners: list[Owner] = []

    def begin(*arguments: Path, **options: Any) -> Owner:
        owners.append(Owner(*arguments, **options))
        return owners[-1]

    yield begin
    for owner in owners:
        if owner.process.returncode is None:
            owner.kill()


@contextlib.contextmanager
def passable_directory() -> Iterator[Path]:
    """Unlike pytest's: those are closed to the account that stands in for root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="package", name="home")
def _home() -> Iterator[Path]:
    """A data directory whose cluster is made already, which is the slow part; leave it usable."""
    with passable_directory() as directory:
        with postgres.running(directory):
            pass
        yield directory


@pytest.fixture(name="copy")
def _copy(home: Path, empty: Path) -> Path:
    """One of its own, to spoil."""
    return shutil.copytree(home, empty, dirs_exist_ok=True)


@pytest.fixture(name="empty")
def _empty() -> Iterator[Path]:
    with passable_directory() as directory:
        yield directory


def execute(url: str, statement: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def is_free(data_directory: Path) -> bool:
    """Neither a watcher nor any process of PostgreSQL is left on the directory."""
    lock = os.open(data_directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def postmaster_pid(server: postgres.Server) -> int:
    lines = (server.data_directory / "cluster" / "postmaster.pid").read_text().splitlines()
    return int(lines[0])
