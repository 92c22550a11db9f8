"""Owns the web server of the tests that need real HTTP: threads of this process, on the test's database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application

from example_platform.serving import HOST, Handler

__all__ = ["HOST", "serving"]

THREADS = 20
"""As many as a web server may have; each has a connection to the database, of which there are a hundred at most."""


class Quiet(Handler):
    """Tells of nothing: what is refused here is refused on purpose."""

    def log_message(self, *args: object) -> None: ...


class Server(ThreadedWSGIServer):
    """Accepts all connections at once, and works on some at a time."""

    request_queue_size = 128
    at_work = threading.BoundedSemaphore(THREADS)

    def process_request_thread(self, request, client_address) -> None:
        with self.at_work:
            super().process_request_thread(request, client_address)


@contextmanager
def serving() -> Iterator[int]:
    """Serve during a block, and yield the port."""
    server = Server((HOST, 0), Quiet)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
