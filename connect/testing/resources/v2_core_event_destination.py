"""Event destinations: webhook endpoints of v2, for snapshot or thin events, of the account or of those connected."""

from typing import Any

from connect.testing import errors, thin, v2_lists
from connect.testing.call import Call
from connect.testing.deliveries import Endpoint
from connect.testing.events import API_VERSION
from connect.testing.resources.webhook_endpoint import checked
from connect.testing.routing import route
from connect.testing.store import StripeObject

NOUN = "v2.core.event_destination"
PATH = "/v2/core/event_destinations"
SDK = "v2.core.EventDestination"
SCOPES = frozenset({"@self", "@accounts"})
DESTINATIONS_MAX = 16


@route("POST", PATH, f"{SDK}CreateParams")
def create(call: Call) -> StripeObject:
    params = call.params
    check(call)
    thinly = params["event_payload"] == "thin"
    id_ = call.new_id("ed_test")
    scopes = params.get("events_from") or ["@self"]
    url = checked(params["webhook_endpoint"]["url"])
    now = thin.iso(call.now)
    obj: StripeObject = {
        "id": id_,
        "object": NOUN,
        "amazon_eventbridge": None,
        "azure_event_grid": None,
        "created": now,
        "description": params.get("description") or "",
        "enabled_events": params["enabled_events"],
        "event_payload": params["event_payload"],
        "events_from": scopes,
        "livemode": False,
        "metadata": call.metadata(),
        "name": params["name"],
        "snapshot_api_version": None if thinly else params.get("snapshot_api_version", API_VERSION),
        "status": "enabled",
        "status_details": None,
        "type": "webhook_endpoint",
        "updated": now,
        "webhook_endpoint": {"signing_secret": None, "url": url},
    }
    secret = call.new_id("whsec")
    endpoint = Endpoint(
        id=id_,
        account=call.account,
        url=url,
        connect="@accounts" in scopes,
        secrets=[secret],
        enabled_events=obj["enabled_events"],
        api_version=obj["snapshot_api_version"],
        thin=thinly,
        own="@self" in scopes,
    )
    call.after(lambda: call.world.deliveries.add(endpoint))
    call.insert(obj)
    return shown(call, {**obj, "webhook_endpoint": {"signing_secret": secret, "url": url}})


def check(call: Call) -> None:
    params = call.params
    if params["type"] != "webhook_endpoint":
        raise errors.Refused(
            400,
            "The stand-in delivers to destinations of type webhook_endpoint only.",
            param="type",
        )
    if not params.get("webhook_endpoint"):
        raise errors.parameter_missing("webhook_endpoint")
    if not set(params.get("events_from") or []) <= SCOPES:
        raise errors.invalid_choice("events_from", sorted(SCOPES))
    if params["event_payload"] == "thin" and params.get("snapshot_api_version"):
        message = "snapshot_api_version is for destinations with snapshot payloads only."
        raise errors.Refused(400, message, param="snapshot_api_version")
    if not params["enabled_events"]:
        raise errors.parameter_missing("enabled_events")
    if len(list(call.newest_first(NOUN))) >= DESTINATIONS_MAX:
        raise errors.Refused(400, f"You have reached the maximum of {DESTINATIONS_MAX}.")


def shown(call: Call, obj: StripeObject) -> StripeObject:
    """The secret and the address are told to those who ask for them."""
    included = call.params.get("include") or []
    endpoint = {
        name: value if f"webhook_endpoint.{name}" in included else None
        for name, value in obj["webhook_endpoint"].items()
    }
    return {**obj, "webhook_endpoint": endpoint}


@route("GET", PATH, f"{SDK}ListParams")
def list_(call: Call) -> StripeObject:
    found = v2_lists.page(call, NOUN, PATH)
    return {**found, "data": [shown(call, row) for row in found["data"]]}


@route("GET", PATH + "/{id}", f"{SDK}RetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return shown(call, v2_lists.find(call, NOUN, call.path["id"]))


@route("POST", PATH + "/{id}", f"{SDK}UpdateParams")
def update(call: Call) -> StripeObject:
    obj, params = v2_lists.find(call, NOUN, call.path["id"]), call.params
    changes: dict[str, Any] = {
        name: params[name] for name in ("description", "enabled_events", "name") if params.get(name)
    }
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    if params.get("webhook_endpoint"):
        url = checked(params["webhook_endpoint"]["url"])
        changes["webhook_endpoint"] = {"signing_secret": None, "url": url}
    return changed(call, obj, changes)


@route("POST", PATH + "/{id}/disable", f"{SDK}DisableParams")
def disable(call: Call) -> StripeObject:
    details = {"disabled": {"reason": "user"}}
    obj = v2_lists.find(call, NOUN, call.path["id"])
    return changed(call, obj, {"status": "disabled", "status_details": details})


@route("POST", PATH + "/{id}/enable", f"{SDK}EnableParams")
def enable(call: Call) -> StripeObject:
    obj = v2_lists.find(call, NOUN, call.path["id"])
    return changed(call, obj, {"status": "enabled", "status_details": None})


@route("POST", PATH + "/{id}/ping", f"{SDK}PingParams")
def ping(call: Call) -> StripeObject:
    """An event for this destination and no other, whatever it has chosen to hear."""
    obj = v2_lists.find(call, NOUN, call.path["id"])
    related = {"id": obj["id"], "type": NOUN, "url": f"{PATH}/{obj['id']}"}
    return call.emit_thin("v2.core.event_destination.ping", related, to=obj["id"])


@route("DELETE", PATH + "/{id}", f"{SDK}DeleteParams")
def delete(call: Call) -> StripeObject:
    obj = v2_lists.find(call, NOUN, call.path["id"])
    call.delete(obj)
    call.after(lambda: call.world.deliveries.remove(obj["id"]))
    return {"id": obj["id"], "object": NOUN}


def changed(call: Call, obj: StripeObject, changes: StripeObject) -> StripeObject:
    after = call.change(obj, {**changes, "updated": thin.iso(call.now)})
    settings = {
        "enabled": after["status"] == "enabled",
        "enabled_events": after["enabled_events"],
        "url": after["webhook_endpoint"]["url"],
    }
    call.after(lambda: call.world.deliveries.change(obj["id"], **settings))
    return shown(call, after)
