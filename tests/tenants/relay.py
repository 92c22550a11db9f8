"""A stand-in for a pooler: it hands each message on, but the backend's number is its own."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# BackendKeyData: its type, the length of what follows with this, the process id, the secret.
# https://www.postgresql.org/docs/current/protocol-message-formats.html
KEY_DATA = b"K\x00\x00\x00\x0c"


def _hand_on(source: socket.socket, target: socket.socket, *, renumber: bool) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            at = data.find(KEY_DATA)
            if renumber and at >= 0:
                number = at + len(KEY_DATA)
                (pid,) = struct.unpack("!i", data[number : number + 4])
                data = data[:number] + struct.pack("!i", pid + 1) + data[number + 4 :]
                renumber = False
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _server(host: str, port: str) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)))
    server = socket.socket(socket.AF_UNIX)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


@contextmanager
def pooler(host: str, port: str) -> Iterator[int]:
    """Stand before the server at `host`, or whose socket is in that directory; yield the port on 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []
        sockets = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    server = _server(host, port)
                    sockets.extend([client, server])
                    for ends, renumber in (((client, server), False), ((server, client), True)):
                        thread = threading.Thread(
                            target=_hand_on, args=ends, kwargs={"renumber": renumber}
                        )
                        thread.start()
                        threads.append(thread)

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for each in sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for each in sockets:
                each.close()
