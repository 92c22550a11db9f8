"""Persons of an account: its representative, owners, directors. What identifies them is taken and never told again."""

from typing import Any

from connect.testing import lists
from connect.testing.call import Call
from connect.testing.resources import v2_core_person_form
from connect.testing.resources.account_change import change, find
from connect.testing.resources.account_settings import merged
from connect.testing.resources.requirement import requirements, without_deadline
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v1/accounts/{account}/persons"
AS_GIVEN = (
    "address",
    "dob",
    "email",
    "first_name",
    "gender",
    "last_name",
    "maiden_name",
    "nationality",
    "phone",
    "political_exposure",
    "registered_address",
)
PROVIDED = ("id_number", "ssn_last_4")
ROLES = ("authorizer", "director", "executive", "legal_guardian", "owner", "representative")


@route("POST", PATH, "AccountPersonCreateParams")
def create(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    return add(call, account, call.params)


@route("POST", PATH + "/{id}", "AccountPersonUpdateParams")
def update(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    own = call.on(account["id"])
    return save(call, account, own.get("person", call.path["id"]), call.params)


@route("DELETE", PATH + "/{id}", "AccountPersonDeleteParams")
def delete(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    return remove(call, account, call.path["id"])


@route("GET", PATH + "/{id}", "AccountPersonRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    return call.on(account["id"]).get("person", call.path["id"])


@route("GET", PATH, "AccountPersonListParams")
def list_(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    wanted = call.params.get("relationship") or {}

    def keep(obj: StripeObject) -> bool:
        return all(obj["relationship"].get(role) == value for role, value in wanted.items())

    url = f"/v1/accounts/{account['id']}/persons"
    return lists.page(call.on(account["id"]), "person", url, keep)


def add(call: Call, account: StripeObject, given: dict[str, Any]) -> StripeObject:
    own = call.on(account["id"])
    obj = own.insert(built(own, account, given, None), "person.created")
    v2_core_person_form.follow(call, None, obj)
    met(call, account, obj)
    return obj


def save(
    call: Call, account: StripeObject, former: StripeObject, given: dict[str, Any]
) -> StripeObject:
    own = call.on(account["id"])
    obj = own.change(former, built(own, account, given, former), "person.updated")
    if obj != former:
        v2_core_person_form.follow(call, former, obj)
        met(call, account, obj)
    return obj


def remove(call: Call, account: StripeObject, id_: str) -> StripeObject:
    own = call.on(account["id"])
    obj = own.get("person", id_)
    stub = own.delete(obj, "person.deleted")
    v2_core_person_form.remove(call, obj)
    return stub


def describe_individual(call: Call, account: StripeObject, given: dict[str, Any]) -> None:
    """`individual` of an account is a person: the one it has, or a new one."""
    former = (account.get("individual") or {}).get("id")
    if former is None:
        relationship = {"representative": True, "owner": True, **(given.get("relationship") or {})}
        add(call, account, {**given, "relationship": relationship})
    else:
        save(call, account, call.on(account["id"]).get("person", former), given)


def met(call: Call, account: StripeObject, obj: StripeObject) -> None:
    """The account shows who it is, if it is a person, and what was asked of its representative is answered."""
    changes: StripeObject = {}
    if account["business_type"] in {None, "individual"} and obj["relationship"]["representative"]:
        changes["individual"] = obj
    elif obj["relationship"]["representative"]:
        hash_ = account["requirements"]
        changes["requirements"] = {
            name: [path for path in value if not answered(obj, path)]
            if name.endswith(("_due", "_verification"))
            else value
            for name, value in hash_.items()
        }
    if changes:
        change(call, account, changes)


def answered(obj: StripeObject, path: str) -> bool:
    subject, _, rest = path.partition(".")
    value: Any = obj
    for segment in rest.split("."):
        value = value.get(segment) if isinstance(value, dict) else None
    return subject == "representative" and value not in (None, "")


def built(
    own: Call, account: StripeObject, given: dict[str, Any], former: StripeObject | None
) -> StripeObject:
    base = blank(own, account) if former is None else former
    shown = {name: given[name] for name in AS_GIVEN if name in given}
    if "dob" in shown:
        shown["dob"] = shown["dob"] or dict.fromkeys(("day", "month", "year"))
    provided = {f"{name}_provided": True for name in PROVIDED if given.get(name)}
    obj = {**base, **shown, **provided}
    for name in ("additional_tos_acceptances", "relationship", "verification"):
        obj[name] = merged(base[name], given.get(name) or {})
    if "metadata" in given:
        obj["metadata"] = own.with_params(metadata=given["metadata"]).metadata(former)
    if obj["verification"]["document"]["front"]:
        obj["verification"] = {**obj["verification"], "status": "verified"}
    return obj


def blank(own: Call, account: StripeObject) -> StripeObject:
    document = dict.fromkeys(("back", "details", "details_code", "front"))
    tos = dict.fromkeys(("date", "ip", "user_agent"))
    return {
        "id": own.new_id("person"),
        "object": "person",
        "account": account["id"],
        "additional_tos_acceptances": {"account": tos},
        "created": own.now,
        "dob": dict.fromkeys(("day", "month", "year")),
        "email": None,
        "first_name": None,
        "future_requirements": without_deadline(requirements()),
        "id_number_provided": False,
        "last_name": None,
        "metadata": {},
        "phone": None,
        "relationship": {**dict.fromkeys(ROLES, False), "percent_ownership": None, "title": None},
        "requirements": without_deadline(requirements()),
        "ssn_last_4_provided": False,
        "verification": {
            "additional_document": document,
            "details": None,
            "details_code": None,
            "document": document,
            "status": "unverified",
        },
    }
