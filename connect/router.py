"""Owns which functions want to hear of which events."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol, TypeVar

from connect.signals import send, signals_of
from django_stripe.event import Event

Handler = Callable[[Event], object]
Function = TypeVar("Function", bound=Handler)

OBJECT_TYPE: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
PATTERN: Final = re.compile(r"\*|[a-z0-9_.\[\]]+(?<!\.)(\.\*)?")


class Occurrence(Protocol):
    """What an event is routed by."""

    @property
    def type(self) -> str: ...

    @property
    def object_type(self) -> str: ...

    @property
    def is_thin(self) -> bool: ...


@dataclass(slots=True)
class Route:
    """A handler, and which events it wants."""

    name: str
    """What the inbox remembers the handler by: renamed, it is a new one."""
    handler: Handler
    patterns: list[str] = field(default_factory=list)
    object_types: list[str] = field(default_factory=list)

    def wants(self, event: Occurrence) -> bool:
        return event.object_type in self.object_types or any(
            fits(pattern, name) for pattern in self.patterns for name in _names(event)
        )


def fits(pattern: str, event_type: str) -> bool:
    """Say whether a type of event fits `pattern`: it is the type, or a prefix of it and ``*``."""
    return pattern == event_type or (pattern.endswith("*") and event_type.startswith(pattern[:-1]))


def expect_pattern(pattern: str) -> None:
    """Raise ValueError if `pattern` could never fit a type of event."""
    if not PATTERN.fullmatch(pattern):
        raise ValueError(
            f"{pattern!r} is no pattern of event types. Give a type (payout.failed), a prefix (charge.*) or *."
        )


def _names(event: Occurrence) -> set[str]:
    """A thin event of a v1 object says what the snapshot event of the same name says."""
    return {event.type, event.type.removeprefix("v1.")} if event.is_thin else {event.type}


_routes: Final[dict[str, Route]] = {}


def on(*patterns: str, object_type: str = "") -> Callable[[Function], Function]:
    """Call the decorated function, plain or async, for every event that fits.

    A pattern is a type (``"payout.failed"``), a prefix (``"charge.*"``) or ``"*"``; `object_type` takes every event
    about such an object, whatever its type is called: ``on(object_type="charge")`` hears of ``payment.created`` too.
    A thin event of a v1 object fits under its own name and that of its snapshot twin.

    It is given an `Event`, in the context of the event's account, after the mirror is written, in the
    transaction that marks it done: what it does to the database happens exactly once, what it does
    elsewhere at least once (use ``event.id`` as the idempotency key). If it raises, it is called again
    later, alone. Raises ValueError for a pattern that could never fit, TypeError for what has no name.
    """
    for pattern in patterns or ("",)[bool(object_type) :]:
        expect_pattern(pattern)
    if object_type and not OBJECT_TYPE.fullmatch(object_type):
        raise ValueError(
            f"{object_type!r} is no name of a Stripe object, such as checkout.session."
        )

    def register(function: Function) -> Function:
        if not hasattr(function, "__qualname__"):
            raise TypeError(
                f"{function!r} has no name to be remembered by: define a function with `def`, and call yours in it."
            )
        name = f"{function.__module__}.{function.__qualname__}"
        route = _routes.setdefault(name, Route(name, function))
        if route.handler is not function:
            raise ValueError(
                f"There are two handlers named {name}; the inbox could not tell them apart."
            )
        route.patterns.extend(patterns)
        route.object_types.extend([object_type] if object_type else [])
        return function

    return register


def routes() -> list[Route]:
    """Return every route, in the order in which the handlers were registered."""
    return list(_routes.values())


def is_heard_twice(event: Event) -> bool:
    """Say whether a handler that wants this thin event of a v1 object would also be called for its snapshot twin."""
    name = event.type.removeprefix("v1.")
    if name == event.type:
        return False  # v2's objects have no snapshot events
    of_twin = {route.name for route in routes_for(replace(event, type=name, is_thin=False))}
    return any(route.name in of_twin for route in routes_for(event))


def routes_for(event: Occurrence) -> list[Route]:
    """Return the routes of `event`, in the order in which their handlers were registered, and then its signal's."""
    found = [route for route in _routes.values() if route.wants(event)]
    return found + [
        Route(f"signal {event_type}", partial(send, signal))
        for event_type, signal in signals_of(_names(event))
    ]
