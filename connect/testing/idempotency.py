"""Idempotency keys: the first executed answer is replayed for 24 hours (v2: 30 days), within one account."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

from connect.testing import errors

KEPT_SECONDS = 24 * 3600
V2_KEPT_SECONDS = 30 * 24 * 3600
KEY_LENGTH_MAX = 255
KEYS_MAX = 50_000


@dataclass(frozen=True)
class Answer:
    """What went over the wire, apart from the headers of each single response."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Kept:
    fingerprint: str
    answer: Answer
    until_unix: int
    request_id: str


class IdempotencyKeys:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Kept] = OrderedDict()
        self._in_flight: set[tuple[str, str]] = set()

    def begin(self, account: str, key: str, fingerprint: str, now: int) -> Kept | None:
        """The kept answer for this key, or None and the key is in flight until `end`.

        Raises Refused if the key is in flight, was used for something else, or is too long.
        """
        if len(key) > KEY_LENGTH_MAX:
            raise errors.Refused(
                400,
                f"Invalid idempotency key: it may have at most {KEY_LENGTH_MAX} characters.",
                type="idempotency_error",
            )
        with self._lock:
            if (account, key) in self._in_flight:
                raise in_use(key)
            kept = self._kept.get((account, key))
            if kept is None or kept.until_unix <= now:
                self._in_flight.add((account, key))
                return None
        if kept.fingerprint != fingerprint:
            raise errors.Refused(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                type="idempotency_error",
            )
        return kept

    def end(self, account: str, key: str, kept: Kept | None) -> None:
        """Keep the answer of what was executed; None for what was refused before it ran."""
        with self._lock:
            self._in_flight.discard((account, key))
            if kept is not None:
                self._kept.pop((account, key), None)
                self._kept[account, key] = kept
                while len(self._kept) > KEYS_MAX:
                    self._kept.popitem(last=False)


def in_use(key: str) -> errors.Refused:
    return errors.Refused(
        409,
        f"There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        type="idempotency_error",
        code="idempotency_key_in_use",
    )
