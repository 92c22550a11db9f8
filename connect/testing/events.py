"""Events: what they look like, what changed, and a factory for a user's own tests."""

import json
import random
import time
from typing import Any

from stripe._api_version import _ApiVersion

from connect.testing.ids import Ids
from connect.testing.store import StripeObject

API_VERSION: str = _ApiVersion.CURRENT
MISSING: Any = object()


def snapshot(
    type_: str,
    obj: StripeObject,
    *,
    account: str | None,
    previous_attributes: StripeObject | None = None,
    **envelope: Any,
) -> StripeObject:
    """Build an Event. `account` and `context` are keys of connected accounts' events only."""
    data: StripeObject = {"object": obj}
    if previous_attributes is not None:
        data["previous_attributes"] = previous_attributes
    event: StripeObject = {
        "id": envelope["id"],
        "object": "event",
        "api_version": envelope.get("api_version") or API_VERSION,
        "created": envelope["created"],
        "data": data,
        "livemode": envelope.get("livemode", False),
        "pending_webhooks": envelope.get("pending_webhooks", 1),
        "request": envelope.get("request") or {"id": None, "idempotency_key": None},
        "type": type_,
    }
    if account:
        event |= {"account": account, "context": account}
    return event


def event(type: str, object: StripeObject, *, account: str | None = None, **fields: Any) -> bytes:  # noqa: A002
    """The bytes of a snapshot event, as Stripe would post them; sign them with `connect.testing.sign`.

    `account` is the connected account, None for the platform's own. `fields` may be `id`, `created` (seconds),
    `previous_attributes`, `livemode`, `api_version`, `request`, `pending_webhooks`.
    """
    fields.setdefault("id", Ids(random.randrange(2**63)).new("evt"))  # noqa: S311 - an id, not a secret
    fields.setdefault("created", int(time.time()))
    return encode(snapshot(type, object, account=account, **fields))


def encode(obj: StripeObject) -> bytes:
    """Stripe posts its events indented by two."""
    return json.dumps(obj, indent=2, ensure_ascii=False).encode()


def previous_attributes(before: StripeObject, after: StripeObject) -> StripeObject:
    """What `before` had where `after` differs: objects nested, arrays whole, null where there was nothing."""
    previous: StripeObject = {}
    for key in [*before, *(key for key in after if key not in before)]:
        old, new = before.get(key, MISSING), after.get(key, MISSING)
        if old is new or old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            previous[key] = previous_attributes(old, new)
        else:
            previous[key] = None if old is MISSING else old
    return previous
