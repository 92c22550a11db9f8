"""Capabilities of an account: what it may do, by name. The id of a capability is its name, on every account."""

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.parameters import compiled
from connect.testing.resources.account_change import change, find
from connect.testing.resources.capability_row import built
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v1/accounts/{account}/capabilities"


@route("GET", PATH, "AccountCapabilityListParams")
def list_(call: Call) -> StripeObject:
    """Those that were ever asked for, all on one page."""
    account = find(call, call.path["account"])
    rows = call.on(account["id"]).world.store.oldest_first(account["id"], "capability")
    return lists.listing(f"/v1/accounts/{account['id']}/capabilities", rows)


@route("GET", PATH + "/{id}", "AccountCapabilityRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    name = known(call.path["id"])
    own = call.on(account["id"])
    return own.find("capability", name) or built(own, account, name, None)


@route("POST", PATH + "/{id}", "AccountCapabilityUpdateParams")
def update(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    name = known(call.path["id"])
    requested = call.params.get("requested")
    capabilities = dict(account["capabilities"])
    if requested is True:
        capabilities.setdefault(name, "inactive")
    elif requested is False:
        capabilities.pop(name, None)
    change(call, account, {"capabilities": capabilities})
    return retrieve(call)


def known(name: str) -> str:
    capabilities = (compiled("AccountCreateParams").fields or {})["capabilities"]
    if name not in (capabilities.fields or {}):
        raise errors.resource_missing("capability", name, param="capability")
    return name
