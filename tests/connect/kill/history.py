"""Owns what happened at Stripe: the events of some accounts, and what their objects are in the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

START_UNIX = 1_800_000_000
ACCOUNTS = ("", *(f"acct_{letter}" for letter in "ABCDEFG"))
"""The first is the platform."""
LATE_SHARE = 0.02
NEIGHBOURS = 40
"""How far an event may be overtaken, unless it is late."""


@dataclass(frozen=True)
class Told:
    """An event, as it is delivered."""

    id: str
    account: str
    body: bytes = field(repr=False)


Key = tuple[str, str, str]
"""Account, object and id; ids are the same in all accounts."""


@dataclass
class History:
    """What happens in every account, several things a second, and no state twice: so the events tell the last one."""

    chance: Random
    events: list[Told] = field(default_factory=list)
    truth: dict[Key, tuple[dict[str, Any], bool]] = field(default_factory=dict)
    """Of each object the last state, and whether it is deleted."""
    _now_unix: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNTS, START_UNIX))
    _alive: dict[str, list[Key]] = field(default_factory=lambda: {a: [] for a in ACCOUNTS})

    def live(self, events: int) -> None:
        """Let `events` more happen."""
        for _ in range(events):
            account = self.chance.choice(ACCOUNTS)
            self._now_unix[account] += self.chance.random() < 0.6
            happens = self.chance.choices(
                (self._is_made, self._changes, self._is_deleted, self._is_unknown), (25, 65, 5, 5)
            )
            happens[0](account)

    def arrivals(self) -> Iterator[Told]:
        """Yield the events in an order in which they could arrive: few as they happened, some long after."""
        places = {
            told.id: place
            + self.chance.random() * (len(self.events) if self._is_late() else NEIGHBOURS)
            for place, told in enumerate(self.events)
        }
        yield from sorted(self.events, key=lambda told: places[told.id])

    def _is_late(self) -> bool:
        return self.chance.random() < LATE_SHARE

    def _is_made(self, account: str) -> None:
        kind = self.chance.choice(("customer", "charge", "payout"))
        number = len([key for key in self.truth if key[:2] == (account, kind)])
        key = (account, kind, f"{kind}_{number}")
        value = {
            "id": key[2],
            "object": kind,
            "created": self._now_unix[account],
            "currency": "usd",
            "amount": 1000,
            "metadata": {"changes": "0", "note": "x" * self.chance.randrange(400)},
        }
        birth = "charge.succeeded" if kind == "charge" else f"{kind}.created"
        self._tell(key, birth, value)
        self._alive[account].append(key)

    def _changes(self, account: str) -> None:
        if not self._alive[account]:
            return self._is_made(account)
        # The newest most: so that it changes several times within a second.
        alive = self._alive[account]
        key = alive[-1] if self.chance.random() < 0.4 else self.chance.choice(alive)
        before, _ = self.truth[key]
        metadata = before["metadata"]
        value = before | {
            "metadata": metadata | {"changes": str(int(metadata["changes"]) + 1)},
        }
        return self._tell(
            key, f"{key[1]}.updated", value, {"metadata": {"changes": metadata["changes"]}}
        )

    def _is_deleted(self, account: str) -> None:
        now_unix = self._now_unix[account]
        old = [
            key
            for key in self._alive[account]
            if key[1] == "customer" and self.truth[key][0]["created"] < now_unix
        ]
        if not old:
            return self._changes(account)
        key = self.chance.choice(old)
        self._alive[account].remove(key)
        return self._tell(key, "customer.deleted", self.truth[key][0])

    def _is_unknown(self, account: str) -> None:
        key = (account, "brand.new", f"bn_{len(self.events)}")
        self._tell(key, "brand.new.thing", {"id": key[2], "object": key[1]})
        del self.truth[key]

    def _tell(
        self,
        key: Key,
        event_type: str,
        value: dict[str, Any],
        previous: dict[str, Any] | None = None,
    ) -> None:
        account = key[0]
        event = {
            "id": f"evt_{len(self.events):06}",
            "object": "event",
            "type": event_type,
            "livemode": False,
            "created": self._now_unix[account],
            "api_version": "2026-10-28.endive",
            "data": {"object": value} | ({"previous_attributes": previous} if previous else {}),
        } | ({"account": account} if account else {})
        self.events.append(Told(event["id"], account, json.dumps(event).encode()))
        self.truth[key] = (value, event_type == "customer.deleted")
