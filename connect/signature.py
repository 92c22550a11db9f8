"""Owns Stripe's webhook signatures. https://docs.stripe.com/webhooks#verify-manually"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from typing import Final

TOLERANCE_SECONDS: Final = 300
UNIX_DIGITS_MAX: Final = 12
SIGNATURES_MAX: Final = 16  # Stripe sends one for each active secret


class SignatureMismatch(ValueError):
    """Nothing proves that Stripe sent these bytes now. The webhook view answers 400."""


def verify(
    body: bytes, header: str, secrets: Iterable[str], *, now_unix: float | None = None
) -> None:
    """Check that `header` (Stripe-Signature) signs `body`, as it arrived, with one of `secrets`.

    Unlike the SDK it takes bytes and several secrets, and refuses times in the future as well as old
    ones: a clock that is wrong by more than 300 seconds is to be noticed. Raises SignatureMismatch.
    """
    signed_at, signatures = _parse(header)
    now = time.time() if now_unix is None else now_unix
    if abs(now - int(signed_at)) > TOLERANCE_SECONDS:
        raise SignatureMismatch(
            f"The signature's time is {int(signed_at) - now:+.0f} seconds from this host's clock; "
            f"at most {TOLERANCE_SECONDS} are accepted."
        )
    signed = signed_at.encode() + b"." + body
    expected = [
        hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode() for secret in secrets
    ]
    # All of them, always: how long it takes tells nothing of which.
    matches = [hmac.compare_digest(mac, given) for mac in expected for given in signatures]
    if not any(matches):
        raise SignatureMismatch("No v1 signature is of these bytes with a secret of this endpoint.")


def _parse(header: str) -> tuple[str, list[bytes]]:
    pairs = [item.strip().partition("=") for item in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    # v0 is a fake scheme on test events; whatever else Stripe adds is to be opted into.
    signatures = [
        value.encode(errors="surrogateescape") for name, _, value in pairs if name == "v1"
    ]
    if len(times) != 1 or not (
        times[0].isascii() and times[0].isdigit() and len(times[0]) <= UNIX_DIGITS_MAX
    ):
        raise SignatureMismatch("The Stripe-Signature header is missing, or has no time.")
    if not 0 < len(signatures) <= SIGNATURES_MAX:
        raise SignatureMismatch("The Stripe-Signature header has no v1 signature, or too many.")
    return times[0], signatures
