"""Owns the signed account: what a statement carries to the database, and what the database believes.

A token is ``signature backend time account``. The signature is HMAC-SHA256 in hex, which PostgreSQL computes with its
own sha256() from the two padded keys, over all that follows it: the backend or "-", the seconds since 1970, and the
account. Without the key nobody makes one; with the backend in it, one that is read elsewhere
(``pg_stat_activity``, a log) is worth nothing on another connection.
"""

from __future__ import annotations

import hmac
import re
import time
from functools import cache
from typing import Final

from connect.context import EVERY_ACCOUNT, EveryAccount
from tenants.conf import Binding

DOMAIN: Final = "tenants.rls.v1"
NO_BACKEND: Final = "-"
BLOCK_BYTES: Final = 64
INNER, OUTER = 0x36, 0x5C

# It stands in SQL between quotes and in a comment, and is the last of what spaces part.
ACCOUNT: Final = re.compile(r"[A-Za-z0-9_.:-]*")

SECONDS_MAX: Final[dict[Binding, int]] = {"backend": 300, "time": 60}
"""For how long a token is believed by a transaction that begins later; the clocks may differ by as much."""


class UnsignableAccount(ValueError):
    """This is no account's id: the wall lets no such thing through. Nobody catches it."""


@cache
def rls_key(secret: str) -> bytes:
    """Return the key that is derived from `secret`, for this purpose alone."""
    return hmac.digest(secret.encode(), DOMAIN.encode(), "sha256")


def padded(key: bytes) -> tuple[bytes, bytes]:
    """Return the inner and the outer block of HMAC, from which sha256() alone makes it."""
    block = key.ljust(BLOCK_BYTES, b"\0")
    return bytes(b ^ INNER for b in block), bytes(b ^ OUTER for b in block)


def key_name(key: bytes) -> str:
    """Return what tells this key from another, and does not tell the key."""
    return hmac.digest(key, b"name", "sha256").hex()[:16]


def signed(
    reach: str | EveryAccount, key: bytes, backend: int | str, at_unix: float | None = None
) -> str:
    """Return the token that lets a statement reach the rows of `reach` (``""``: the platform's) now.

    `backend` is the process id of the connection's backend, or ``NO_BACKEND``; `at_unix`, seconds since 1970, is now
    unless another time is said. Raises UnsignableAccount for what could not stand in a statement.
    """
    message = f"{backend} {int(time.time() if at_unix is None else at_unix)} {_account(reach)}"
    return f"{hmac.digest(key, message.encode(), 'sha256').hex()} {message}"


def _account(reach: str | EveryAccount) -> str:
    if reach is EVERY_ACCOUNT:
        return str(reach.value)
    if ACCOUNT.fullmatch(reach):
        return reach
    raise UnsignableAccount(
        f"{reach!r} cannot be the account of a statement: an id has letters, digits and _ . : - only. Enter "
        "the context of an account that Stripe knows."
    )
