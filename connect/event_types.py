"""Owns which types of event Stripe has, and what each is about: read from the SDK, so that no list is kept here."""

from __future__ import annotations

from functools import cache
from typing import Final, get_args

import stripe
from stripe.events._event_classes import _V2_EVENT_NOTIFICATION_CLASS_LOOKUP

# Of these Stripe waits for the answer, which decides whether a card is accepted: nobody is to hear of them
# who has not asked for them by name. https://docs.stripe.com/issuing/controls/real-time-authorizations
ANSWERED: Final = frozenset({"issuing_authorization.request"})

# What a type's name does not tell. https://docs.stripe.com/api/events/types
OBJECTS: Final[dict[str, tuple[str, ...]]] = {
    # The object in it is the application; that the account was connected, or is no more, is said nowhere else.
    "account.application": ("application", "account"),
    "account.external_account": ("bank_account", "card"),
    "application_fee.refund": ("fee_refund",),
    "customer.source": ("source", "card", "bank_account"),
    "sigma.scheduled_query_run": ("scheduled_query_run",),
    "source.transaction": ("source_transaction",),
}


@cache
def snapshot_types() -> tuple[str, ...]:
    """Return every type of snapshot event that the SDK's API version has."""
    return get_args(stripe.Event.__annotations__["type"])


@cache
def thin_types() -> tuple[str, ...]:
    """Return every type of thin event that the SDK knows, of v1's objects and of v2's."""
    return tuple(_V2_EVENT_NOTIFICATION_CLASS_LOOKUP)


def is_thin(pattern: str) -> bool:
    """Say whether a handler's pattern is of thin events: only their types say which API they are of."""
    return pattern.startswith(("v1.", "v2."))


def objects_of(event_type: str) -> tuple[str, ...]:
    """Return Stripe's names of the objects that a snapshot event of this type is about; most have one.

    ``charge.refunded`` is about a charge, ``checkout.session.completed`` about a checkout.session; but
    ``charge.dispute.created`` about a dispute, for charges have events of their own: a dispute is under them.
    """
    noun = event_type.rpartition(".")[0]
    if noun in OBJECTS:
        return OBJECTS[noun]
    parent, _, child = noun.partition(".")
    if child and parent in _parents():
        return (child,)
    return (noun.replace("issuing_", "issuing.", 1),)


@cache
def _parents() -> frozenset[str]:
    return frozenset(t.partition(".")[0] for t in snapshot_types() if t.count(".") == 1)
