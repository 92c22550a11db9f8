"""v2 accounts: the same accounts as v1's, with configurations. Parts are null unless a request includes them."""

from typing import Any

from connect.testing import errors, v2_lists
from connect.testing.call import Call
from connect.testing.resources import account, v2_core_account_params
from connect.testing.resources.account_change import find, insert
from connect.testing.resources.v2_core_account_form import (
    CONFIGURATIONS,
    NOUN,
    SECTIONS,
    close,
    derived,
    save,
)
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v2/core/accounts"
SDK = "v2.core.Account"


@route("POST", PATH, f"{SDK}CreateParams")
def create(call: Call) -> StripeObject:
    params = call.params
    v1 = v2_core_account_params.v1_params(params)
    country = (params.get("identity") or {}).get("country")
    controller = v2_core_account_params.controller_params(params)
    v1_call = call.with_params(**v1, country=country, controller=controller)
    row = insert(v1_call, account.build(v1_call))
    account.provide(v1_call, row)
    keep(call, row["id"], params, quietly=True)
    return shown(call, v2_lists.find(call, NOUN, row["id"]))


@route("GET", PATH + "/{id}", f"{SDK}RetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return shown(call, named(scoped(call)))


@route("GET", PATH, f"{SDK}ListParams")
def list_(call: Call) -> StripeObject:
    """Closed accounts are on the list of closed ones only."""
    closed = bool(call.params.get("closed"))
    wanted = set(call.params.get("applied_configurations") or [])

    def keep_(obj: StripeObject) -> bool:
        return obj["closed"] == closed and wanted <= set(obj["applied_configurations"])

    found = v2_lists.page(call, NOUN, PATH, keep_)
    return {**found, "data": [shown(call, row) for row in found["data"]]}


@route("POST", PATH + "/{id}", f"{SDK}UpdateParams")
def update(call: Call) -> StripeObject:
    call = scoped(call)
    obj, params = open_(named(call)), call.params
    check_immutable(obj, params)
    v1 = v2_core_account_params.v1_params(params)
    account.update(call.with_params(**v1))
    keep(call, obj["id"], params, quietly=False)
    return shown(call, v2_lists.find(call, NOUN, obj["id"]))


def check_immutable(obj: StripeObject, params: dict[str, Any]) -> None:
    """Who is responsible, and the dashboard, are settled once."""
    given = (params.get("defaults") or {}).get("responsibilities") or {}
    had = obj["defaults"]["responsibilities"]
    for name, value in given.items():
        if value is not None and value != had[name]:
            param = f"defaults.responsibilities.{name}"
            raise errors.Refused(400, f"{param} cannot be changed once it is set.", param=param)
    if params.get("dashboard", obj["dashboard"]) != obj["dashboard"]:
        raise errors.Refused(400, "dashboard cannot be changed once it is set.", param="dashboard")


def keep(call: Call, id_: str, params: dict[str, Any], *, quietly: bool) -> None:
    """Keep what only v2 knows. A new account has said so already, by `v2.core.account.created`."""
    former = v2_lists.find(call, NOUN, id_)
    after = derived(find(call, id_), v2_core_account_params.v2_only(params, former))
    if quietly:
        call.world.store.put(call.account, after)
    else:
        save(call, former, after)


@route("POST", PATH + "/{id}/close", f"{SDK}CloseParams")
def close_(call: Call) -> StripeObject:
    """All of it, or only some configurations of it. Raises Refused while there is money in it."""
    call = scoped(call)
    obj = open_(named(call))
    wanted = set(call.params.get("applied_configurations") or obj["applied_configurations"])
    left = sorted(set(obj["applied_configurations"]) - wanted)
    if left:
        configuration = {
            name: obj["configuration"][name] if name in left else None for name in CONFIGURATIONS
        }
        save(call, obj, {**obj, "applied_configurations": left, "configuration": configuration})
        return shown(call, v2_lists.find(call, NOUN, obj["id"]))
    if any(purse.total for purse in call.world.ledger.funds(obj["id"]).values()):
        message = "This account cannot be closed while it has a balance."
        raise errors.Refused(400, message, type="cannot_proceed", code="account_balance_not_zero")
    call.delete(find(call, obj["id"]))
    close(call, obj["id"])
    return shown(call, v2_lists.find(call, NOUN, obj["id"]))


def scoped(call: Call) -> Call:
    """An account may ask for itself; the platform keeps it."""
    return call.on("") if call.account == call.path["id"] else call


def named(call: Call) -> StripeObject:
    return v2_lists.find(call, NOUN, call.path["id"])


def open_(obj: StripeObject) -> StripeObject:
    if obj["closed"]:
        message = f"Account {obj['id']} is closed."
        raise errors.Refused(400, message, type="cannot_proceed", code="account_closed")
    return obj


def shown(call: Call, obj: StripeObject) -> StripeObject:
    included = call.params.get("include") or []
    configuration = {
        name: obj["configuration"][name] if f"configuration.{name}" in included else None
        for name in CONFIGURATIONS
    }
    any_ = any(name.startswith("configuration.") for name in included)
    sections = {name: obj[name] if name in included else None for name in SECTIONS}
    return {**obj, **sections, "configuration": configuration if any_ else None}
