"""Owns the Stripe that dj-stripe asks: a process that answers from memory at once, kinder than any network.

`python -m bench.stripe_api CHARGES LINKS` prints its address; ``GET /requests`` says how often it was asked.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any, Final, cast

from bench.charge import ACCOUNTS, account_id, refunded
from bench.links import Links, balance_transaction, linked_charge, linked_objects
from bench.payload import payload

PLATFORM: Final = "acct_platform00000000"
COUNTER: Final = "/requests"


def objects(charges: int, links: Links) -> dict[str, dict[str, Any]]:
    """Return what can be retrieved, by path: charges as they are after all their events, and what they name."""
    accounts = [PLATFORM, *map(account_id, range(ACCOUNTS))]
    found = {f"/v1/accounts/{each}": _account(each) for each in accounts}
    found["/v1/account"] = _account(PLATFORM)
    for number in range(charges):
        value = refunded(linked_charge(number, links))
        if links is not Links.NONE:
            found |= linked_objects(value)
            # dj-stripe asks for it expanded, which saves it a call.
            value |= {"balance_transaction": balance_transaction(value)}
        found[f"/v1/charges/{value['id']}"] = value
    return found


def _account(account: str) -> dict[str, Any]:
    return {
        "id": account,
        "object": "account",
        "business_profile": {"name": "Shop", "url": None},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "shop@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": {"icon": None, "logo": None},
            "dashboard": {"display_name": "Shop"},
        },
        "type": "standard",
    }


class Connection(asyncio.Protocol):
    """One kept-alive connection of a client that sends GET requests one after the other."""

    def __init__(self, bodies: dict[bytes, bytes], requests: list[bytes]) -> None:
        self.bodies, self.requests, self.received = bodies, requests, b""
        self.transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self.answer(head.split(b" ", 2)[1].partition(b"?")[0])

    def answer(self, path: bytes) -> None:
        if path == COUNTER.encode():
            body: bytes | None = b"%d" % len(self.requests)
        else:
            self.requests.append(path)
            body = self.bodies.get(path)
        status = b"200 OK" if body else b"404 Not Found"
        body = body or b'{"error": {"type": "invalid_request_error", "code": "resource_missing"}}'
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (status, len(body)) + body)


async def _serve(charges: int, links: Links) -> None:
    found = objects(charges, links)
    bodies = {path.encode(): payload(each).encode() for path, each in found.items()}
    requests: list[bytes] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(bodies, requests), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    # The parent's end closes standard input, however it comes about.
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), Links(sys.argv[2])))
