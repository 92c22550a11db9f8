"""Account links: single use, five minutes, leading to the hosted onboarding page."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources.account_change import find, platform_of
from connect.testing.resources.webhook_endpoint import checked
from connect.testing.routing import route
from connect.testing.store import StripeObject

VALID_SECONDS = 300


@route("POST", "/v1/account_links", "AccountLinkCreateParams")
def create(call: Call) -> StripeObject:
    params = call.params
    options = params.get("collection_options") or {"fields": params.get("collect")}
    url = make(call, params["account"], {**params, "collection_options": options})
    return {
        "object": "account_link",
        "created": call.now,
        "expires_at": call.now + VALID_SECONDS,
        "url": url,
    }


def make(call: Call, id_: str, link: dict[str, Any]) -> str:
    """Open a link and return its address. It has no id: the page finds it by the last part of the address."""
    platform = platform_of(call, id_)
    if call.account not in {"", id_, platform.account} or platform.find("account", id_) is None:
        raise errors.resource_missing("account", id_, param="account", in_path=False)
    account = find(call, id_)
    collection = account["controller"].get("requirement_collection", "stripe")
    if link["type"] == "account_update" and collection == "stripe":
        raise errors.Refused(
            400,
            "You cannot create `account_update` type Account Links for this account. Valid types for this account "
            'are ["account_onboarding"].',
            param="type",
        )
    for name in ("refresh_url", "return_url"):
        if link.get(name):
            checked(link[name])
    token = call.world.ids.characters(12)
    opened = {
        **link,
        "account": id_,
        "expires_at": call.now + VALID_SECONDS,
        "platform": platform.account,
    }
    call.after(lambda: call.world.links.update({token: opened}))
    return f"{call.base_url}/setup/c/{id_}/{token}"
