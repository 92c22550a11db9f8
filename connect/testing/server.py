"""The stand-in over HTTP: the API, the pages a browser is sent to, and the doors for those who run it."""

import json
import socket
import traceback
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import urlsplit

from connect.testing import admin, api, oauth, pages
from connect.testing.faults import NO_ANSWER
from connect.testing.idempotency import Answer
from connect.testing.posting import is_loopback
from connect.testing.world import World

HOST = "127.0.0.1"
BODY_BYTES_MAX = 2_000_000
NOT_STRIPE = "This is a stand-in for tests, not Stripe"


class Server(ThreadingHTTPServer):
    """Listens on this machine only."""

    daemon_threads = True
    # Many connections of a test run may come at once.
    request_queue_size = 128
    address: str

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}"

    def server_bind(self) -> None:
        # http.server would look the host's name up, which may take seconds where DNS is slow.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = HOST, self.server_address[1]


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "stand-in-stripe"
    sys_version = ""
    timeout = 120
    # Answers are small and written at once; waiting to fill a packet would cost 40 ms each.
    disable_nagle_algorithm = True
    wbufsize = -1
    answered: ClassVar[frozenset[str]] = frozenset({"GET", "POST", "DELETE"})

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep quiet: requests carry keys and people's data."""

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return
        host = urlsplit(f"//{self.headers.get('Host', HOST)}").hostname or ""
        if not is_loopback(host):  # a web page that made its own name resolve to this machine
            self._send(
                Answer(
                    403,
                    b"The stand-in serves this machine only.",
                    (("Content-Type", "text/plain"),),
                )
            )
            return
        url = urlsplit(self.path)
        request = api.Request(
            self.command, url.path, url.query, self.headers, body, self.server.url
        )
        self._send(self._answer(request))

    def _answer(self, request: api.Request) -> Answer:
        try:
            return self._dispatch(request)
        except Exception:  # noqa: BLE001 - whatever goes wrong in here, the caller gets an answer Stripe might give
            traceback.print_exc()
            message = "The stand-in failed at this request: a defect of its own, told on its standard error."
            return Answer(
                500, json.dumps({"error": {"message": message, "type": "api_error"}}).encode()
            )

    def _dispatch(self, request: api.Request) -> Answer:
        if request.path.startswith("/_stand_in"):
            return admin.answer(self.server.world, request)
        if request.path.startswith(("/v1/", "/v2/")):
            return api.answer(self.server.world, request)
        if request.path in oauth.ENDPOINTS and request.method == "POST":
            return oauth.answer(self.server.world, request)
        return pages.answer(self.server.world, request)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if (
            not length.isdecimal()
            or int(length) > BODY_BYTES_MAX
            or "Transfer-Encoding" in self.headers
        ):
            self.close_connection = True
            message = {
                "error": {
                    "message": "Invalid request: no proper body.",
                    "type": "invalid_request_error",
                }
            }
            self._send(Answer(400, json.dumps(message).encode()))
            return None
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        if answer.status == NO_ANSWER:
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        headers = {
            "Content-Type": "application/json",
            "Server": self.server_version,
            "Stand-In": NOT_STRIPE,
        }
        headers["Date"] = formatdate(self.server.world.clock.now(), usegmt=True)
        headers |= dict(answer.headers)
        for name, value in headers.items():
            self.send_header(name, clean(value))
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()


def clean(value: str) -> str:
    """What a request may echo into a header must not end the line."""
    return "".join(c for c in value if c.isprintable() and ord(c) < 256)
