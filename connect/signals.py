"""Owns Django signals of events, for those who prefer them to `connect.on`."""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

from django_stripe.event import Event

_signals: Final[dict[str, Signal]] = {}


def get_signal(event_type: str) -> Signal:
    """Return the signal that is sent for every event of a type, such as ``"payout.failed"``.

    Receivers are given ``event``, an `Event`, and run as one handler: in the event's account, in the transaction
    that marks it done. If one raises, all of them are undone and called again later.
    """
    return _signals.setdefault(event_type, Signal())


def send(signal: Signal, event: Event) -> None:
    """Tell the receivers of `signal`; the first that raises ends it."""
    signal.send(sender=Event, event=event)


def signals_of(event_types: set[str]) -> list[tuple[str, Signal]]:
    """Return the signals of these types that somebody listens to, by name."""
    return [
        (event_type, _signals[event_type])
        for event_type in sorted(event_types & _signals.keys())
        if _signals[event_type].has_listeners()
    ]


def listened_to() -> list[str]:
    """Return the types whose signals somebody listens to."""
    return [event_type for event_type, _ in signals_of(set(_signals))]
