"""One HTTP POST to a webhook endpoint of this machine, over connections that are kept."""

import http.client
import ipaddress
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0


class Posting:
    """Used by one thread at a time."""

    def __init__(self) -> None:
        self._connections: dict[tuple[str, str, int], http.client.HTTPConnection] = {}

    def post(self, address: str, payload: bytes, signature: str) -> tuple[int | None, str | None]:
        """Returns the status, or None and why there is none."""
        url = urlsplit(address)
        if not is_loopback(url.hostname or ""):
            return None, "refused: the stand-in delivers to this machine only"
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Host": url.netloc.rpartition("@")[2],
            "Stripe-Signature": signature,
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks) stand-in",
        }
        path = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
        key = (url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
        # A kept connection may have been closed meanwhile; only a fresh one proves anything.
        kept = key in self._connections
        status, error = self._send(key, path, payload, headers)
        if kept and error is not None and not error.startswith("TimeoutError"):
            status, error = self._send(key, path, payload, headers)
        return status, error

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _send(
        self, key: tuple[str, str, int], path: str, payload: bytes, headers: dict[str, str]
    ) -> tuple[int | None, str | None]:
        if key not in self._connections:
            scheme, host, port = key
            connect = (
                http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            )
            # Subdomains of localhost are this machine in browsers, but not for every resolver.
            address = "127.0.0.1" if host.endswith(".localhost") else host
            self._connections[key] = connect(address, port, timeout=TIMEOUT_SECONDS)
        connection = self._connections[key]
        try:
            connection.request("POST", path, payload, headers)
            response = connection.getresponse()
            response.read()
        except (http.client.HTTPException, OSError, OverflowError, ValueError) as error:
            self._connections.pop(key).close()
            return None, f"{type(error).__name__}: {error}"
        return response.status, None


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
