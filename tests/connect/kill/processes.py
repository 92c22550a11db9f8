"""Owns the processes that are killed: a web server and workers, forked from one that has loaded Django."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

HOST = "127.0.0.1"
END_SECONDS_MAX = 20

CONTEXT = multiprocessing.get_context("forkserver")


class EndedByItself(AssertionError):
    """A process ended that nobody killed."""


class Processes:
    """A web server and some workers, each begun anew when it was killed."""

    def __init__(self, workers: int, logs: Path) -> None:
        CONTEXT.set_forkserver_preload(["tests.connect.kill.ready"])
        self._logs = logs
        self._begun = itertools.count()
        self.port = _free_port()
        self._workers = [self._begin(work) for _ in range(workers)]
        self._web = self._begin(serve, self.port)
        self.kills: Counter[str] = Counter()

    def _begin(self, target, *arguments):
        name = f"{target.__name__}-{next(self._begun)}"
        log = self._logs / name
        process = CONTEXT.Process(
            target=child, name=name, args=(log, target, *arguments), daemon=True
        )
        process.start()
        return process

    def kill_worker(self, chance: Random) -> None:
        """SIGKILL one of the workers, wherever it is, and begin another."""
        place = chance.randrange(len(self._workers))
        self._kill(self._workers[place])
        self._workers[place] = self._begin(work)
        self.kills["worker"] += 1

    def kill_web(self) -> None:
        """SIGKILL the web server in the middle of its requests, and begin another."""
        self._kill(self._web)
        self._web = self._begin(serve, self.port)
        self.kills["web"] += 1

    def _kill(self, process) -> None:
        if not process.is_alive():
            raise EndedByItself(f"{process} had ended: {self._log(process)[-5000:]}")
        process.kill()
        process.join()

    def end_workers(self) -> list[int | None]:
        """Ask the workers to end, once they can be asked, and return how they did."""
        for process in self._workers:
            ends_at = time.monotonic() + END_SECONDS_MAX
            while "ready" not in self._log(process) and time.monotonic() < ends_at:
                time.sleep(0.01)
            process.terminate()
        for process in self._workers:
            process.join(END_SECONDS_MAX)
        return [process.exitcode for process in self._workers]

    def _log(self, process) -> str:
        log = self._logs / process.name
        return log.read_text(errors="replace") if log.exists() else ""

    def kill_all(self) -> None:
        for process in (*self._workers, self._web):
            process.kill()
            process.join()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def child(log: Path, target, *arguments) -> None:
    """Do `target`, as long as the process lives that wants it done."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    target(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


def work() -> None:
    """Be a worker."""
    from django.core.management import call_command  # noqa: PLC0415 - the one that kills has no Django

    import tests.connect.kill.ready  # noqa: F401, PLC0415

    call_command("connect_worker")


def serve(port: int) -> None:
    """Be the web server."""
    from django.core.servers.basehttp import ThreadedWSGIServer  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415

    import tests.connect.kill.ready  # noqa: F401, PLC0415
    from example_platform.serving import Handler  # noqa: PLC0415

    server = ThreadedWSGIServer((HOST, port), Handler)
    server.set_app(get_wsgi_application())
    server.serve_forever()
