"""Webhook endpoints. The secret is told once, on creation, and the scope (`connect`) never."""

import re
from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.deliveries import Endpoint
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

webhook_endpoint = Noun("webhook_endpoint", "/v1/webhook_endpoints", "WebhookEndpoint")
ENDPOINTS_MAX = 16


@webhook_endpoint.create
def create(call: Call) -> StripeObject:
    params = call.params
    if len(list(call.newest_first("webhook_endpoint"))) >= ENDPOINTS_MAX:
        raise errors.Refused(
            400, f"You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints."
        )
    obj: StripeObject = {
        "id": call.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": call.now,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": call.metadata(),
        "status": "enabled",
        "url": checked(params["url"]),
    }
    secret = call.new_id("whsec")
    endpoint = Endpoint(
        id=obj["id"],
        account=call.account,
        url=obj["url"],
        connect=params.get("connect", False),
        secrets=[secret],
        enabled_events=obj["enabled_events"],
        api_version=obj["api_version"],
    )
    call.after(lambda: call.world.deliveries.add(endpoint))
    return {**call.insert(obj), "secret": secret}


@webhook_endpoint.update_with
def update(call: Call) -> StripeObject:
    obj, params = call.get("webhook_endpoint", call.path["id"]), call.params
    changes: dict[str, Any] = {
        name: params[name] for name in ("description", "enabled_events") if name in params
    }
    if "url" in params:
        changes["url"] = checked(params["url"])
    if "disabled" in params:
        changes["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    changed = call.change(obj, changes)
    settings = {
        "url": changed["url"],
        "enabled_events": changed["enabled_events"],
        "enabled": changed["status"] == "enabled",
    }
    call.after(lambda: call.world.deliveries.change(obj["id"], **settings))
    return changed


@webhook_endpoint.delete_with
def delete(call: Call) -> StripeObject:
    stub = call.delete(call.get("webhook_endpoint", call.path["id"]))
    call.after(lambda: call.world.deliveries.remove(stub["id"]))
    return stub


def checked(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@:]+(:[1-9]\d{0,4})?([/?#][\x21-\x7e]*)?", url):
        message = "Invalid URL: An explicit scheme (such as https) must be provided."
        raise errors.Refused(400, message, code="url_invalid", param="url")
    return url


webhook_endpoint.retrieve()
webhook_endpoint.list()
