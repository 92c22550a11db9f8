"""Owns thin events: they name an object, which Stripe is asked for before it is mirrored."""

from __future__ import annotations

from typing import Final

from django_stripe.event import Event, parse_event
from django_stripe.mirroring import Outcome

ENDPOINT: Final = "thin"


def stored(payload: str, related: str) -> Event:
    """Return the event of the inbox, with its object as Stripe answered, if it was asked already."""
    return parse_event(payload)


def mirror_related(inbox_id: int, event: Event, *, done: bool) -> Outcome | None:
    """Ask Stripe for the object of a pending event, write its row, and in the same transaction how far it is.

    None: somebody else has it, or it could not be retrieved or stored, which is recorded.
    """
    raise NotImplementedError
