"""Thin events: small, without a version, naming their object instead of carrying it.

The SDK ships one class for each thin type, generated from Stripe's OpenAPI. Reading those at run time tells which
snapshot types have a thin twin and which events name an object, with nothing to keep up to date here.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from stripe.events._event_classes import get_v2_event_notification_class
from stripe.v2.core._event import UnknownEventNotification

from connect.testing.store import StripeObject

OBJECT = "v2.core.event"
# What only the fetched event says. Whether Stripe also pushes `snapshot_event` is not documented.
FETCHED_ONLY = frozenset({"changes", "data", "snapshot_event"})
# Objects that live under another: (the parent's path, the field that names the parent, their own path).
NESTED = {
    "capability": ("accounts", "account", "capabilities"),
    "fee_refund": ("application_fees", "fee", "refunds"),
    "person": ("accounts", "account", "persons"),
    "transfer_reversal": ("transfers", "transfer", "reversals"),
}


def is_thin(event: StripeObject) -> bool:
    return bool(event["object"] == OBJECT)


def iso(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def build(type_: str, related: StripeObject | None, **envelope: Any) -> StripeObject:
    """An event as `GET /v2/core/events/{id}` answers it. `created` is in seconds since the epoch."""
    request_id, key = envelope.get("request_id"), envelope.get("idempotency_key")
    request = {"id": request_id, "idempotency_key": key}
    event: StripeObject = {
        "id": envelope["id"],
        "object": OBJECT,
        "changes": None,
        "context": envelope.get("account") or None,
        "created": iso(envelope["created"]),
        "livemode": False,
        "reason": {"type": "request", "request": request} if request_id else None,
        "related_object": related,
        "snapshot_event": envelope.get("snapshot_event"),
        "type": type_,
    }
    return event if envelope.get("data") is None else {**event, "data": envelope["data"]}


def notification(event: StripeObject) -> StripeObject:
    """What is pushed to a thin destination."""
    return {name: value for name, value in event.items() if name not in FETCHED_ONLY}


@cache
def relation(type_: str) -> str | None:
    """How events of this type name their object: "object", "singleton", "none"; None if there is no such type."""
    found: Any = get_v2_event_notification_class(type_)
    if found is UnknownEventNotification:
        return None
    hint = found.__annotations__.get("related_object")
    if hint is None:
        return "none"
    return "singleton" if "Singleton" in getattr(hint, "__name__", str(hint)) else "object"


def related(type_: str, obj: StripeObject, account: str) -> StripeObject | None:
    """The reference to the object that an event of this type is about, with the address it is fetched from."""
    kind, noun = relation(type_), obj["object"]
    if kind == "singleton":
        return {"type": noun, "url": f"/v1/{noun.replace('.', '/')}"}
    if kind != "object":
        return None
    return {"id": obj["id"], "type": noun, "url": address(obj, account)}


def address(obj: StripeObject, account: str) -> str:
    if obj["object"] in NESTED:
        parents, field, own = NESTED[obj["object"]]
        return f"/v1/{parents}/{obj.get(field) or account}/{own}/{obj['id']}"
    return f"/v1/{obj['object'].replace('.', '/')}s/{obj['id']}"
