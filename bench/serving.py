"""Owns the process in which one Django project takes deliveries, through its WSGI handler.

`python -m bench.serving PROJECT` reads a line ``FIRST LAST`` from standard input, takes the deliveries of those
numbers in ``BENCH_THREADS`` threads, and writes as JSON in how many seconds each was answered and all were done.
``BENCH_LINKS`` says which other objects their charges name.
It runs in the environment of either product: it may import nothing but the standard library, Django and `bench`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from bench.delivery import delivery, signature
from bench.links import Links

if TYPE_CHECKING:
    from django.core.handlers.wsgi import WSGIHandler


Send = Callable[[dict[str, Any]], float]


def take(
    threads: ThreadPoolExecutor, send: Send, path: str, numbers: range, finish: Callable[[], None]
) -> dict[str, Any]:
    """Send the deliveries of `numbers`, signed now; return how long each took, and all of them until they were done."""
    now_unix = int(time.time())
    links = Links(os.environ.get("BENCH_LINKS", Links.NONE))
    # All charges succeed before any is refunded: no two threads do the same work for both events of one.
    in_order = [*numbers[::2], *numbers[1::2]]
    requests = [_request(path, delivery(number, links), now_unix) for number in in_order]
    gc.collect()
    started = time.perf_counter()
    each = list(threads.map(send, requests))
    finish()
    return {"seconds": time.perf_counter() - started, "each": each}


def _request(path: str, body: bytes, now_unix: int) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "bench",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "bench",
        "HTTP_STRIPE_SIGNATURE": signature(body, now_unix),
        "CONTENT_TYPE": "application/json; charset=utf-8",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "https",
        "wsgi.input": BytesIO(body),
        "wsgi.errors": sys.stderr,
    }


def _send(application: WSGIHandler, request: dict[str, Any]) -> float:
    started = time.perf_counter()
    response = application(request, _start_response)
    body = b"".join(response)
    response.close()
    if response.status_code != HTTPStatus.OK:
        raise SystemExit(f"A delivery was answered {response.status_code}: {body[:300]!r}")
    return time.perf_counter() - started


def _start_response(
    status: str, headers: object, error: object = None, /
) -> Callable[[bytes], None]:
    return lambda data: None


def _main(project: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{project}.settings"
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    send = partial(_send, get_wsgi_application())
    webhook = importlib.import_module(f"{project}.webhook")
    path = webhook.webhook_path()
    finish = getattr(webhook, "finish", lambda: None)
    print("ready", flush=True)
    with ThreadPoolExecutor(int(os.environ.get("BENCH_THREADS", "1"))) as threads:
        for line in sys.stdin:
            taken = take(threads, send, path, range(*map(int, line.split())), finish)
            print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
