"""A PgBouncer of Debian's, as a process of the tests', before the PostgreSQL that they use."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PORT = "6432"
BACKENDS_MAX = 4  # fewer than there are clients: they have to share

# Debian keeps it from the PATH of who is not root.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def binary() -> str:
    """Return where PgBouncer is; without one the test is skipped."""
    found = shutil.which("pgbouncer", path=PATH)
    if found is None:
        pytest.skip("There is no pgbouncer here: `make pgbouncer` installs it, as root or by sudo.")
    return found


def version() -> tuple[int, ...]:
    """Return PgBouncer's version: ``(1, 18, 0)``."""
    told = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in re.findall(r"\d+", told.stdout.splitlines()[0]))


@contextmanager
def pooled(
    entry: dict[str, Any], mode: str = "transaction", **options: Any
) -> Iterator[dict[str, Any]]:
    """Stand before the server of `entry`, one of DATABASES; yield the entry by which clients reach it through this."""
    password = entry["PASSWORD"] or secrets.token_hex(16)  # a server that asks for none is not told
    with tempfile.TemporaryDirectory(prefix="pgb-") as directory:
        home = Path(directory)
        server = {"host": entry["HOST"], "port": entry["PORT"]}
        to_server = " ".join(f"{name}={value}" for name, value in server.items() if value)
        settings = {
            "pool_mode": mode,
            "default_pool_size": BACKENDS_MAX,
            "listen_port": PORT,
            "unix_socket_dir": home,
            "auth_type": "md5",  # quick: a site that keeps no connections logs in at each request
            "auth_file": home / "users",
            "log_connections": 0,
            "log_disconnections": 0,
            "log_stats": 0,
        }
        lines = [f"{name} = {value}\n" for name, value in (settings | options).items()]
        (home / "users").write_text(f'"{entry["USER"]}" "{password}"\n')
        (home / "ini").write_text(f"[databases]\n* = {to_server}\n[pgbouncer]\n{''.join(lines)}")
        prefix, user = _other_than_root(str(entry["HOST"]))
        if user is not None:
            for path in (home, *home.iterdir()):
                os.chown(path, user, -1)
        with (
            subprocess.Popen(
                # Where the tests are killed, it is too.
                [*prefix, "setpriv", "--pdeathsig", "KILL", binary(), home / "ini"],
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                user=user,
            ) as process,
            ThreadPoolExecutor(1) as listener,
        ):
            try:
                _wait_until_up(process)
                listener.submit(process.stderr.read)  # or it would wait for somebody to listen
                yield entry | {"HOST": directory, "PORT": PORT, "PASSWORD": password}
            finally:
                process.kill()  # asked politely, newer ones wait for their clients


def _other_than_root(host: str) -> tuple[list[str], int | None]:
    """Return what to put before the command, and the user to run it as: it refuses root, as PostgreSQL does."""
    if os.geteuid() != 0:
        return [], None
    if not host.startswith("/"):
        return [], pwd.getpwnam("nobody").pw_uid
    owner = Path(host).stat().st_uid
    if owner:
        return [], owner
    # The server's socket is root's alone, and so the server is in a user namespace too: see postgres_watcher.py.
    return ["unshare", "--user", "--map-user=65534"], None


def _wait_until_up(process: subprocess.Popen[str]) -> None:
    told = []
    for line in process.stderr:
        told.append(line)
        if "process up" in line:
            return
    raise RuntimeError(f"pgbouncer ended with {process.wait()}: {''.join(told)}")
