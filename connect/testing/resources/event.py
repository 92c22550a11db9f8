"""Events, 30 days back, of the account that asks."""

from fnmatch import fnmatchcase

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.routing import Noun, route, view
from connect.testing.store import StripeObject

event = Noun("event", "/v1/events", "Event")
KEPT_SECONDS = 30 * 24 * 3600
TYPES_MAX = 20


@view("event")
def shown(call: Call, obj: StripeObject) -> StripeObject:
    return {**obj, "pending_webhooks": call.world.deliveries.pending(obj["id"])}


@route("GET", "/v1/events", "EventListParams")
def list_(call: Call) -> StripeObject:
    params = call.params
    types = params.get("types") or ([params["type"]] if "type" in params else ["*"])
    if len(types) > TYPES_MAX:
        raise errors.Refused(400, f"You may pass up to {TYPES_MAX} types.", param="types")
    success = params.get("delivery_success")

    def keep(obj: StripeObject) -> bool:
        kept = obj["created"] > call.now - KEPT_SECONDS and any(
            fnmatchcase(obj["type"], t) for t in types
        )
        return kept and (
            success is None or success == (call.world.deliveries.pending(obj["id"]) == 0)
        )

    return lists.page(call, "event", event.path, keep)


@route("GET", "/v1/events/{id}", "EventRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    obj = call.get("event", call.path["id"])
    if obj["created"] <= call.now - KEPT_SECONDS:
        raise errors.resource_missing("event", obj["id"])
    return obj
