"""Owns which functions want to hear of which events."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from django_stripe.event import Event

Handler = Callable[[Event], object]
Function = TypeVar("Function", bound=Handler)

PATTERN: Final = re.compile(r"\*|[a-z0-9_.\[\]]+(?<!\.)(\.\*)?")


@dataclass(slots=True)
class Route:
    """A handler, and the types of event it wants."""

    handler: Handler
    patterns: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the inbox remembers the handler by: renamed, it is a new one."""
        return f"{self.handler.__module__}.{self.handler.__qualname__}"

    def wants(self, event_type: str) -> bool:
        return any(
            pattern == event_type
            or (pattern.endswith("*") and event_type.startswith(pattern.removesuffix("*")))
            for pattern in self.patterns
        )


_routes: Final[dict[str, Route]] = {}


def on(*patterns: str) -> Callable[[Function], Function]:
    """Call the decorated function for every event whose type fits: ``"payout.failed"``, ``"charge.*"``, ``"*"``.

    It is given an `Event`, in the context of the event's account, after the mirror is written, in the
    transaction that marks it done: what it does to the database happens exactly once, what it does
    elsewhere at least once (use ``event.id`` as the idempotency key). If it raises, it is called again
    later, alone. Raises ValueError for a pattern that could never fit, TypeError for
    a coroutine function: nobody would await it.
    """
    for pattern in patterns or ("",):
        if not PATTERN.fullmatch(pattern):
            raise ValueError(
                f"{pattern!r} is no pattern of event types. Give a type (payout.failed), a prefix (charge.*) or *."
            )

    def register(function: Function) -> Function:
        if inspect.iscoroutinefunction(function) or not hasattr(function, "__qualname__"):
            raise TypeError(
                f"{function!r} is no plain function: define one with `def`, and call yours in it."
            )
        route = Route(function)
        route = _routes.setdefault(route.name, route)
        if route.handler is not function:
            raise ValueError(
                f"There are two handlers named {route.name}; the inbox could not tell them apart."
            )
        route.patterns.extend(patterns)
        return function

    return register


def routes_for(event_type: str) -> list[Route]:
    """Return the routes of an event's type, in the order in which their handlers were registered."""
    return [route for route in _routes.values() if route.wants(event_type)]
