"""Owns which types of event are wanted at all: of what is installed, and of what somebody listens to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from connect import router, signals
from connect.event_types import ANSWERED, is_thin, objects_of, snapshot_types, thin_types
from django_stripe.registry import models_by_object


def wanted_objects() -> set[str]:
    """Return Stripe's names of the objects that are mirrored, or that a handler wants to hear of."""
    return {
        *models_by_object(),
        *(name for route in router.routes() for name in route.object_types),
    }


def wanted_patterns() -> list[str]:
    """Return the patterns of every handler, and the types whose signals somebody listens to."""
    return [
        *(pattern for route in router.routes() for pattern in route.patterns),
        *signals.listened_to(),
    ]


def snapshot_events(objects: Collection[str], patterns: Sequence[str]) -> frozenset[str]:
    """Return the types that the snapshot endpoints are to hear of: about `objects`, or fitting a handler's `patterns`.

    ``*`` alone is left to Stripe, which then also sends types that the SDK does not know yet, but none that has
    to be selected. So with types handled by name beside it, all are selected: those, and every type of
    the SDK's. Exact types are taken as they are, known or not. https://docs.stripe.com/api/events/types
    """
    wanted = [pattern for pattern in patterns if not is_thin(pattern)]
    exact = {pattern for pattern in wanted if not pattern.endswith("*")}
    if "*" in wanted and not exact:
        return frozenset({"*"})
    mirrored = {t for t in snapshot_types() if not set(objects).isdisjoint(objects_of(t))}
    fitting = {t for t in snapshot_types() if _fits_any(t, wanted)}
    return frozenset((mirrored | fitting) - ANSWERED | exact)


def thin_events(patterns: Iterable[str]) -> frozenset[str]:
    """Return the types that the thin endpoint is to hear of: those that handlers name (``v1.…``, ``v2.…``)."""
    wanted = [pattern for pattern in patterns if is_thin(pattern)]
    exact = {pattern for pattern in wanted if not pattern.endswith("*")}
    return frozenset({t for t in thin_types() if _fits_any(t, wanted)} | exact)


def unknown_patterns(patterns: Iterable[str]) -> list[str]:
    """Return the patterns that no type of the SDK's fits: mistyped, undocumented, or newer than it."""
    known = [*snapshot_types(), *thin_types()]
    return sorted(
        pattern for pattern in set(patterns) if not any(router.fits(pattern, t) for t in known)
    )


def _fits_any(event_type: str, patterns: Iterable[str]) -> bool:
    return any(router.fits(pattern, event_type) for pattern in patterns)
