"""`Stripe-Signature` as Stripe writes it."""

import hashlib
import hmac
import time


def sign(payload: bytes, *secrets: str, timestamp: int | None = None) -> str:
    """Return the `Stripe-Signature` header for these exact bytes: one `v1` for each secret (two while one is rolled).

    `timestamp` is in seconds since the epoch, by default this machine's time: receivers compare it with theirs.
    https://docs.stripe.com/webhooks#verify-manually
    """
    unix = int(time.time()) if timestamp is None else timestamp
    signed = b"%d." % unix + payload
    schemes = [
        f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets
    ]
    return ",".join([f"t={unix}", *schemes])
