"""Owns the snapshot: one state of one object, as Stripe told it, with when and how we learned of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal, Protocol

from django_stripe.event import is_birth, is_deletion
from django_stripe.ordering import NOTHING, Change, state, state_before

Origin = Literal["event", "retrieve", "list"]
Key = tuple[str, bool, str]
"""What a row is found by: (connect_account_id, livemode, stripe_id)."""


class Told(Protocol):
    """What an event tells beside its object: an `Event`, or what of one is stored in columns."""

    @property
    def id(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def connect_account_id(self) -> str: ...

    @property
    def livemode(self) -> bool: ...

    @property
    def created(self) -> datetime: ...

    @property
    def object_type(self) -> str: ...

    @property
    def object_id(self) -> str: ...

    @property
    def body(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of one object.

    `account` and `livemode` are stamped from the event's envelope or from the request, never read from the
    JSON. `as_of` is Stripe's clock in whole seconds: the event's ``created``, the response's ``Date``.
    `received_at` and `requested_at` are the database's clock; an event was not asked for. `payload` is
    JSON as Stripe sent it; `path` says where in it the object is, as PostgreSQL writes a path.
    """

    object: str
    account: str
    livemode: bool
    stripe_id: str
    as_of: datetime
    origin: Origin
    received_at: datetime
    payload: str = field(repr=False)
    path: str = "{}"
    requested_at: datetime | None = None
    deleted: bool = False
    event_id: str = ""
    event_type: str = ""

    decided_since: ClassVar[None] = None
    """A snapshot is no tie; its row may be."""

    @property
    def key(self) -> Key:
        """What its row is found by."""
        return (self.account, self.livemode, self.stripe_id)


def event_snapshot(event: Told, *, received_at: datetime) -> Snapshot:
    """Return the state that `event` tells of its object."""
    return Snapshot(
        object=event.object_type,
        account=event.connect_account_id,
        livemode=event.livemode,
        stripe_id=event.object_id,
        as_of=event.created,
        origin="event",
        received_at=received_at,
        payload=event.body,
        path="{data,object}",
        deleted=is_deletion(event.type),
        event_id=event.id,
        event_type=event.type,
    )


def change_of(snapshot: Snapshot) -> Change:
    """Return an event's snapshot as the ordering rule reads it."""
    try:
        before, after = _states(snapshot)
    except (ValueError, RecursionError):
        # What cannot be read cannot be linked: it comes from nowhere and equals nothing.
        before, after = None, f"unreadable {snapshot.event_id}"
    return Change(snapshot.event_id, snapshot.as_of, snapshot.received_at, before, after)


def _states(snapshot: Snapshot) -> tuple[str | None, str]:
    # Decimals, not floats: two states must not be taken for one because a double cannot tell them apart.
    data: dict[str, Any] = json.loads(snapshot.payload, parse_float=Decimal)["data"]
    value, previous = data["object"], data.get("previous_attributes")
    if snapshot.deleted:
        return (None if value.get("deleted") else state(value)), NOTHING
    if is_birth(snapshot.event_type, int(snapshot.as_of.timestamp()), value):
        return NOTHING, state(value)
    return (state_before(value, previous) if isinstance(previous, dict) else None), state(value)


def state_of(snapshot: Snapshot) -> str:
    """Return the state that Stripe answered with."""
    value: Any = json.loads(snapshot.payload, parse_float=Decimal)
    for step in snapshot.path.strip("{}").split(",") if snapshot.path != "{}" else ():
        value = value[int(step) if isinstance(value, list) else step]
    return NOTHING if snapshot.deleted else state(value)
