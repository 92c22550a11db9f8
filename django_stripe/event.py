"""Owns what an event says: the envelope that Stripe signs, read once, and what its type means for the object in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

import stripe

from django_stripe.database import ALIAS
from django_stripe.envelope import (
    CREATED_UNIX_MAX,
    InvalidEvent,
    inner,
    plain_text,
    read,
    required_livemode,
    required_text,
)
from django_stripe.platform import PLATFORM, PlatformLiteral, account_key, account_of

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

# Stripe's word for a subscription that has ended; it can still be retrieved, with status "canceled".
# https://docs.stripe.com/billing/subscriptions/webhooks
NOT_DELETIONS: Final = frozenset({"customer.subscription.deleted"})

# A charge has no `charge.created`: the first of these is its birth.
CHARGE_BIRTHS: Final = frozenset({"charge.pending", "charge.succeeded", "charge.failed"})


@dataclass(frozen=True, slots=True)
class Event:
    """One event: a snapshot (https://docs.stripe.com/api/events/object), or a thin one whose object was retrieved.

    `account` is the connected account it happened on, or ``PLATFORM``: taken from the envelope alone, since
    most objects do not name their owner. `object` and `previous_attributes` are plain dicts; `body` is
    the JSON as Stripe sent it.
    """

    blank_account_is_platform: ClassVar = True

    id: str
    type: str
    account: str | PlatformLiteral
    livemode: bool
    created: datetime
    object: Mapping[str, Any] = field(repr=False)
    body: str = field(repr=False)
    previous_attributes: Mapping[str, Any] | None = field(default=None, repr=False)
    api_version: str | None = None
    request_id: str | None = None
    idempotency_key: str | None = None
    is_thin: bool = False
    """It names its object: `object` is what Stripe answered when it was asked for it; before that, and where it cannot
    be asked for, the id and the type alone."""

    @property
    def connect_account_id(self) -> str:
        """The account as rows are keyed by it: ``""`` for the platform."""
        return account_key(self.account)

    @property
    def object_type(self) -> str:
        """Stripe's name of the object: ``"charge"``, also for a ``payment.created``; ``""`` if it has none."""
        return plain_text(self.object.get("object")) or ""

    @property
    def object_id(self) -> str:
        """The object's id, or ``""`` for an object without one, such as a balance."""
        return plain_text(self.object.get("id")) or ""

    def find_row(self) -> AbstractStripeModel | None:
        """Return the row of the object as it is now; None: its object is not installed, or has no row."""
        from django_stripe.registry import model_for  # noqa: PLC0415 - an event can be read without models

        model = model_for(self.object_type)
        if model is None or not self.object_id:
            return None
        accounts = {self.connect_account_id}
        if self.is_thin and self.object_type == "account":
            # v2 tells of the accounts of merchants in the platform's own scope; their rows are theirs.
            accounts.add(self.object_id)
        rows = model.objects.using(ALIAS).filter(livemode=self.livemode, stripe_id=self.object_id)
        return rows.filter(connect_account_id__in=accounts).first()


def is_deletion(event_type: str) -> bool:
    """Say whether the object is gone after an event of this type. (The object in it looks alive.)"""
    return event_type.endswith(".deleted") and event_type not in NOT_DELETIONS


def is_birth(event_type: str, created_unix: int, value: Mapping[str, Any]) -> bool:
    """Say whether nothing was there before an event of this type, created at `created_unix`."""
    if event_type in CHARGE_BIRTHS:
        return value.get("created") == created_unix
    return event_type.endswith(".created")


def parse_event(body: bytes | str) -> Event:
    """Read a snapshot event from the JSON that Stripe sent.

    Raises InvalidEvent, with what is wrong, for anything else; a thin event is told where it belongs.
    """
    text, envelope = read(body)
    if envelope.get("object") == "v2.core.event":
        raise InvalidEvent(
            "This is a thin event. Send this destination's events to the thin endpoint, or make it a snapshot one."
        )
    if envelope.get("object") != "event":
        raise InvalidEvent('The body is no event: its "object" is not "event".')
    data = envelope.get("data")
    value = data.get("object") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(value, dict):
        raise InvalidEvent('The event has no object: "data.object" is missing or of another kind.')
    previous = data.get("previous_attributes")
    request = inner(envelope, "request")
    return Event(
        id=required_text(envelope, "id"),
        type=required_text(envelope, "type"),
        account=_account(envelope),
        livemode=required_livemode(envelope),
        created=_created(envelope),
        object=value,
        body=text,
        previous_attributes=previous if isinstance(previous, dict) else None,
        api_version=plain_text(envelope.get("api_version")),
        request_id=plain_text(request.get("id")),
        idempotency_key=plain_text(request.get("idempotency_key")),
    )


def as_event(event: Event | stripe.Event | Mapping[str, Any] | str | bytes) -> Event:
    """Return `event`, in whatever form a caller has it, as an Event. Raises InvalidEvent."""
    if isinstance(event, Event):
        return event
    if isinstance(event, str | bytes):
        return parse_event(event)
    if isinstance(event, stripe.Event):
        # What the SDK makes a Decimal of, Stripe sends as a text.
        return parse_event(json.dumps(event.to_dict(), default=str))
    try:
        return parse_event(json.dumps(event))
    except (TypeError, RecursionError) as error:
        raise InvalidEvent(
            f"It cannot be written as JSON ({error}): pass the JSON that Stripe sent."
        ) from None


def _account(envelope: dict[str, Any]) -> str | PlatformLiteral:
    if envelope.get("account") is None:
        return PLATFORM
    return account_of(required_text(envelope, "account"))


def _created(envelope: dict[str, Any]) -> datetime:
    value = envelope.get("created")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= CREATED_UNIX_MAX:
        raise InvalidEvent('The event\'s "created" is no time in seconds since 1970.')
    return datetime.fromtimestamp(value, UTC)
