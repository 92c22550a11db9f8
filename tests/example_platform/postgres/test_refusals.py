"""What the embedded PostgreSQL refuses, with its reason, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest

from example_platform import postgres
from tests.example_platform.postgres.conftest import is_free


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


def test_a_directory_that_the_other_user_cannot_reach_is_named(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_USER_NAMESPACE", "no")
    empty.chmod(0o700)
    refused = pytest.raises(postgres.NoServer, match=f"{empty} is closed to the account")
    with refused if os.geteuid() == 0 else contextlib.nullcontext():
        postgres.stop(postgres.start(empty / "data"))
