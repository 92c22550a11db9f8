"""The v2 form of a person, and the thin events of it on the scope that the account is connected to."""

from connect.testing import thin
from connect.testing.call import Call
from connect.testing.resources.account_change import platform_of
from connect.testing.store import StripeObject

NOUN = "v2.core.account_person"
# v2's name → v1's.
NAMES = {
    "address": "address",
    "date_of_birth": "dob",
    "email": "email",
    "given_name": "first_name",
    "legal_gender": "gender",
    "metadata": "metadata",
    "phone": "phone",
    "political_exposure": "political_exposure",
    "relationship": "relationship",
    "surname": "last_name",
}
NOTHING = (
    "additional_addresses",
    "additional_names",
    "additional_terms_of_service",
    "documents",
    "id_numbers",
    "nationalities",
    "script_addresses",
    "script_names",
)


def follow(call: Call, before: StripeObject | None, person: StripeObject) -> None:
    own = call.on(person["account"])
    own.world.store.put(own.account, form(own, person))
    tell(call, person, "created" if before is None else "updated")


def remove(call: Call, person: StripeObject) -> None:
    own = call.on(person["account"])
    own.delete(own.get(NOUN, person["id"]))
    tell(call, person, "deleted")


def tell(call: Call, person: StripeObject, what: str) -> None:
    account = person["account"]
    url = f"/v2/core/accounts/{account}/persons/{person['id']}"
    to = {"id": person["id"], "type": NOUN, "url": url}
    platform = platform_of(call, account)
    platform.emit_thin(f"{NOUN}.{what}", to, data={"account_id": account})


def form(own: Call, person: StripeObject) -> StripeObject:
    former = own.find(NOUN, person["id"])
    born = person["dob"] if person["dob"]["year"] else None
    relationship = {**person["relationship"]}
    if relationship["percent_ownership"] is not None:
        relationship["percent_ownership"] = str(relationship["percent_ownership"])
    shown = {theirs: person.get(ours) for theirs, ours in NAMES.items()}
    return {
        "id": person["id"],
        "object": NOUN,
        **dict.fromkeys(NOTHING),
        **{name: (former or {}).get(name) for name in NOTHING},
        **shown,
        "account": person["account"],
        "created": thin.iso(person["created"]),
        "date_of_birth": born,
        "livemode": False,
        "relationship": relationship,
        "updated": thin.iso(own.now),
    }
