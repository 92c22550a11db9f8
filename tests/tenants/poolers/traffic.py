"""Eight workers that send a site's requests, as a server's threads or a loop's tasks, and check each answer."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import override_settings

from tests.tenants.poolers import process, shop

WORKERS = 8
REQUESTS = int(os.environ.get("POOLER_REQUESTS", "600"))


@dataclass(frozen=True)
class Request:
    """One of the requests, chosen by its number: whose, by which view, and whether it breaks off."""

    number: int

    @property
    def account(self) -> str:
        """Return one of the merchants, or "", at every ninth."""
        return [*shop.MERCHANTS, ""][self.number * 5 % 9]

    @property
    def breaks(self) -> str:
        """Return how it breaks off, at every fourth."""
        if not self.account or self.number % 4:
            return ""
        return "raise" if self.number % 8 else "fail"

    @property
    def query(self) -> str:
        return urlencode({"number": self.number, "break": self.breaks})


@dataclass
class Tally:
    """What came of the requests."""

    requests: int = 0
    right: int = 0
    broken_off: int = 0
    wrong: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    accounts_by_backend: dict[str, list[str]] = field(default_factory=dict)

    def count(self, request: Request, status: int, body: bytes) -> None:
        self.requests += 1
        if status != 200:
            if request.breaks and status == 500:
                self.broken_off += 1
            else:
                self.failed.append(f"{request}: {status} {body[:200]!r}")
            return
        answer = json.loads(body)
        accounts = self.accounts_by_backend.setdefault(str(answer["backend"]), [])
        if request.account not in accounts:
            accounts.append(request.account)
        expected = shop.expected_of(request.account)
        amiss = {way: it for way, it in answer["found"].items() if it != expected[way]}
        if amiss or request.breaks or not answer["found"]:
            self.wrong.append(f"{request} of {request.account!r} found {amiss}")
        else:
            self.right += 1

    def add(self, other: Tally) -> None:
        self.requests += other.requests
        self.right += other.right
        self.broken_off += other.broken_off
        self.wrong += other.wrong
        self.failed += other.failed
        for backend, accounts in other.accounts_by_backend.items():
            mine = self.accounts_by_backend.setdefault(backend, [])
            mine += [account for account in accounts if account not in mine]

    def __str__(self) -> str:
        return (
            f"{self.requests} requests: {self.right} right, {self.broken_off} broken off, {len(self.wrong)} wrong, "
            f"{len(self.failed)} failed; {len(self.accounts_by_backend)} backends"
        )


@contextmanager
def site() -> Iterator[None]:
    """Serve the shop, and keep the log from what is broken off on purpose."""
    logger = logging.getLogger("django.request")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with override_settings(ROOT_URLCONF=shop.__name__, MIDDLEWARE=[]):
            yield
    finally:
        logger.disabled = was_disabled


def by_threads(requests: int = REQUESTS, *, first: int = 0, workers: int = WORKERS) -> Tally:
    """Send the requests to a WSGI server's threads, each of which keeps its connection as the settings say."""
    numbers = iter(range(first, first + requests))
    with site():
        handler = WSGIHandler()

        def work(_: int) -> Tally:
            tally = Tally()
            try:
                for number in numbers:
                    request = Request(number)
                    tally.count(request, *_answer(handler, request))
            finally:
                connections.close_all()
            return tally

        total = Tally()
        with ThreadPoolExecutor(workers) as pool:
            for tally in pool.map(work, range(workers)):
                total.add(tally)
    return total


def by_tasks(requests: int = REQUESTS) -> Tally:
    """Send the requests to an ASGI server's loop, to sync and async views in turn."""
    numbers = iter(range(requests))
    tally = Tally()

    async def work(handler: ASGIHandler) -> None:
        for number in numbers:
            request = Request(number)
            tally.count(request, *await _answer_later(handler, request))

    async def all_of_them() -> None:
        handler = ASGIHandler()
        await asyncio.gather(*(work(handler) for _ in range(WORKERS)))

    with site():
        asyncio.run(all_of_them())
    return tally


def by_processes(requests: int = REQUESTS, processes: int = 2) -> Tally:
    """Send the requests to the threads of several processes, which have this one's settings and database."""
    each = requests // processes
    told = {
        "TENANTS_ISOLATION": settings.TENANTS_ISOLATION,
        "TENANTS_RLS_BINDING": getattr(settings, "TENANTS_RLS_BINDING", "backend"),
        "DATABASES": {"default": connections.settings["default"]},
    }
    begun = []
    for number in range(processes):
        one = subprocess.Popen(
            [sys.executable, "-m", process.__name__],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        one.stdin.write(json.dumps([told, each, number * each, WORKERS // processes]))
        one.stdin.close()
        begun.append(one)
    total = Tally()
    for one in begun:
        with one:
            total.add(Tally(**json.loads(one.stdout.read())))
    return total


def _answer(handler: WSGIHandler, request: Request) -> tuple[int, bytes]:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/sync/",
        "QUERY_STRING": request.query,
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "HTTP_CONNECT_ACCOUNT": request.account,
        "wsgi.input": io.BytesIO(),
        "wsgi.url_scheme": "http",
    }
    told = []
    response = handler(environ, lambda status, headers: told.append(status))
    try:
        body = b"".join(response)
    finally:
        response.close()  # as a server does; Django lets go of the connection
    return int(told[0].split()[0]), body


async def _answer_later(handler: ASGIHandler, request: Request) -> tuple[int, bytes]:
    path = "/async/" if request.number % 2 else "/sync/"
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": request.query.encode(),
        "headers": [(b"host", b"testserver"), (b"connect-account", request.account.encode())],
    }
    incoming = [{"type": "http.request", "body": b"", "more_body": False}]
    sent = []

    async def receive() -> object:
        # After the request the client neither says anything nor leaves.
        return incoming.pop() if incoming else await asyncio.Future()

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await handler(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], body
