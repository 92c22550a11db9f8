"""Owns the process in which one Django project takes deliveries, through its WSGI handler, one after the other.

`python -m bench.serving PROJECT` reads a line ``FIRST LAST`` from standard input, takes the deliveries of those
numbers and writes how long that took, in seconds. It runs in the environment of either product: it may
import nothing but the standard library, Django and `bench`.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

import django
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from bench.delivery import delivery, signature

if TYPE_CHECKING:
    from django.core.handlers.wsgi import WSGIHandler


def take(application: WSGIHandler, path: str, numbers: range) -> float:
    """Give `application` the deliveries of `numbers`, signed now; return the seconds until all were answered."""
    now_unix = int(time.time())
    requests = [_request(path, delivery(number), now_unix) for number in numbers]
    gc.collect()
    started = time.perf_counter()
    for request in requests:
        _send(application, request)
    return time.perf_counter() - started


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


def _send(application: WSGIHandler, request: dict[str, Any]) -> None:
    response = application(request, _start_response)
    body = b"".join(response)
    response.close()
    if response.status_code != HTTPStatus.OK:
        raise SystemExit(f"A delivery was answered {response.status_code}: {body[:300]!r}")


def _start_response(
    status: str, headers: object, error: object = None, /
) -> Callable[[bytes], None]:
    return lambda data: None


def _main(project: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = f"{project}.settings"
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    application = get_wsgi_application()
    path = importlib.import_module(f"{project}.webhook").webhook_path()
    print("ready", flush=True)
    for line in sys.stdin:
        print(take(application, path, range(*map(int, line.split()))), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1])
