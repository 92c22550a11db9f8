"""Owns the shop's web server: real HTTP from threads of this process, on this machine only."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

HOST: Final = "127.0.0.1"


class Handler(WSGIRequestHandler):
    """Tells of what went wrong only, and answers at once."""

    # Headers and body are written one after the other; waiting to fill a packet would cost 40 ms each.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if not str(code).startswith(("2", "3")):
            super().log_request(code, size)


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """Serve the shop during a block, and yield its address. Port 0 takes any free one.

    Raises OSError (``errno.EADDRINUSE``) if somebody else listens on the port.
    """
    server = ThreadedWSGIServer((HOST, port), Handler)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    thread = threading.Thread(
        target=server.serve_forever, args=(0.05,), name="shop-server", daemon=True
    )
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
