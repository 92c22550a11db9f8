"""Owns thin events: they name an object and carry none of it. https://docs.stripe.com/event-destinations"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, cast

from django_stripe.envelope import (
    InvalidEvent,
    inner,
    load,
    plain_text,
    read,
    required_livemode,
    required_text,
)
from django_stripe.event import Event
from django_stripe.platform import PLATFORM, PlatformLiteral, account_of
from django_stripe.registry import model_for

OBJECT: Final = "v2.core.event"
V2_ACCOUNT: Final = "v2.core.account"
UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def parse(body: bytes | str) -> Event:
    """Read a thin event, of v1's objects or of v2's, from the JSON that Stripe sent.

    Its object is the id and the type that the event gives; `connect.related` asks Stripe for the rest. The account
    is the last segment of `context`: v2 tells of connected accounts in the platform's own scope, without a context,
    so such an event is the platform's and its object the merchant's. Not the SDK's parser, which needs a key
    before anything is stored, and fails with a KeyError where a field is missing.

    Raises InvalidEvent, with what is wrong, for anything else; a snapshot event is told where it belongs.
    https://docs.stripe.com/api/v2/core/events/object
    """
    text, envelope = read(body)
    if envelope.get("object") == "event":
        raise InvalidEvent(
            "This is a snapshot event. Send this destination's events to the platform or the connect endpoint, "
            "or make it a thin one."
        )
    if envelope.get("object") != OBJECT:
        raise InvalidEvent(f'The body is no thin event: its "object" is not "{OBJECT}".')
    request = inner(inner(envelope, "reason"), "request")
    return Event(
        id=required_text(envelope, "id"),
        type=required_text(envelope, "type"),
        account=_account(envelope),
        livemode=required_livemode(envelope),
        created=_created(envelope),
        object=_stub(envelope),
        body=text,
        request_id=plain_text(request.get("id")),
        idempotency_key=plain_text(request.get("idempotency_key")),
        is_thin=True,
    )


def stored(payload: str, related: str) -> Event:
    """Return the event of the inbox, with its object as Stripe answered, if it was asked already."""
    event = parse(payload)
    return replace(event, object=cast("Mapping[str, Any]", load(related))) if related else event


def _account(envelope: dict[str, Any]) -> str | PlatformLiteral:
    """An organisation's events have a path to the account. https://docs.stripe.com/context"""
    if envelope.get("context") in (None, ""):
        return PLATFORM
    segment = required_text(envelope, "context").rpartition("/")[2]
    if not segment:
        raise InvalidEvent('The event\'s "context" ends in no account.')
    return account_of(segment)


def _created(envelope: dict[str, Any]) -> datetime:
    """As a snapshot event would have it: in whole seconds."""
    try:
        moment = datetime.fromisoformat(required_text(envelope, "created"))
        if moment.tzinfo is None or moment < UNIX_EPOCH:
            raise ValueError
        return moment.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise InvalidEvent(
            'The event\'s "created" is no time since 1970 such as 2026-01-31T12:00:00.000Z.'
        ) from None


def _stub(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of the object; nothing, where the event names none."""
    related = envelope.get("related_object")
    if related is None:
        return {}
    if not isinstance(related, dict):
        raise InvalidEvent('The event\'s "related_object" is no object.')
    noun = required_text(related, "type")
    if not required_text(related, "url").startswith(("/v1/", "/v2/")):
        raise InvalidEvent(
            'The "url" of the event\'s "related_object" is no path of Stripe\'s API.'
        )
    if noun == V2_ACCOUNT and model_for("account"):
        noun = "account"  # the two are one account, and it is v1's that is mirrored
    return (
        {"object": noun}
        if related.get("id") is None
        else {
            "id": required_text(related, "id"),
            "object": noun,
        }
    )
