"""v2 persons of an account: the same persons as v1's."""

from connect.testing import v2_lists
from connect.testing.call import Call
from connect.testing.resources import person
from connect.testing.resources.account_change import find
from connect.testing.resources.v2_core_account_form import NOUN as ACCOUNT
from connect.testing.resources.v2_core_account_params import v1_person
from connect.testing.resources.v2_core_person_form import NOTHING, NOUN
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v2/core/accounts/{account}/persons"
SDK = "v2.core.accounts.Person"


@route("POST", PATH, f"{SDK}CreateParams")
def create(call: Call) -> StripeObject:
    account = owner(call)
    obj = person.add(call, account, v1_person(call.params) or {})
    return kept(call, account, obj["id"])


@route("GET", PATH, f"{SDK}ListParams")
def list_(call: Call) -> StripeObject:
    account = owner(call)["id"]
    return v2_lists.page(call.on(account), NOUN, f"/v2/core/accounts/{account}/persons")


@route("GET", PATH + "/{id}", f"{SDK}RetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return v2_lists.find(call.on(owner(call)["id"]), NOUN, call.path["id"])


@route("POST", PATH + "/{id}", f"{SDK}UpdateParams")
def update(call: Call) -> StripeObject:
    account, obj = owner(call), retrieve(call)
    former = call.on(account["id"]).get("person", obj["id"])
    person.save(call, account, former, v1_person(call.params) or {})
    return kept(call, account, obj["id"])


@route("DELETE", PATH + "/{id}", f"{SDK}DeleteParams")
def delete(call: Call) -> StripeObject:
    account, obj = owner(call), retrieve(call)
    person.remove(call, account, obj["id"])
    return {"id": obj["id"], "object": NOUN}


def owner(call: Call) -> StripeObject:
    id_ = call.path["account"]
    v2_lists.find(call.on("") if call.account == id_ else call, ACCOUNT, id_)
    return find(call, id_)


def kept(call: Call, account: StripeObject, id_: str) -> StripeObject:
    """With what v1 has no place for. Numbers are taken and never told again."""
    own = call.on(account["id"])
    given = {name: call.params[name] for name in NOTHING if name in call.params}
    if given.get("id_numbers"):
        given["id_numbers"] = [{"type": row.get("type")} for row in given["id_numbers"]]
    obj = {**v2_lists.find(own, NOUN, id_), **given}
    own.world.store.put(own.account, obj)
    return obj
