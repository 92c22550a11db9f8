"""Cards as sources of a customer: what payment methods were before there were any."""

from connect.testing import lists
from connect.testing.call import Call
from connect.testing.events import previous_attributes
from connect.testing.resources import payment_method
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v1/customers/{customer}/sources"
SDK = "CustomerPaymentSource"
ADDRESS = ("city", "country", "line1", "line1_check", "line2", "state", "zip", "zip_check")
UPDATABLE = ("name", "exp_month", "exp_year", *(f"address_{part}" for part in ADDRESS))


@route("POST", PATH, f"{SDK}CreateParams")
def create(call: Call) -> StripeObject:
    customer = call.get("customer", call.path["customer"])
    card = add(call, customer, call.params["source"])
    after = call.get("customer", customer["id"])
    if after != customer:
        call.emit("customer.updated", after, previous_attributes(customer, after))
    return card


def add(call: Call, customer: StripeObject, token: str) -> StripeObject:
    """Make a card of a token like `tok_visa`; a customer's first becomes the default, of which the caller tells."""
    card = payment_method.card_of({"token": token})
    obj: StripeObject = {
        "id": call.new_id("card"),
        "object": "card",
        **{f"address_{part}": None for part in ADDRESS},
        "brand": card.brand.capitalize(),
        "country": "US",
        "customer": customer["id"],
        "cvc_check": "pass",
        "dynamic_last4": None,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": call.world.ids.characters(16),
        "funding": "credit",
        "last4": card.number[-4:],
        "metadata": call.metadata() if token == call.params.get("source") else {},
        "name": None,
        "regulated_status": "unregulated",
        "tokenization_method": None,
    }
    call.insert(obj, "customer.source.created")
    if customer["default_source"] is None:
        call.change(customer, {"default_source": obj["id"]})
    return obj


def of_customer(call: Call) -> StripeObject:
    card = call.get("card", call.path["id"])
    customer = call.get("customer", call.path["customer"])
    return card if card["customer"] == customer["id"] else call.get("card", "")


@route("GET", PATH + "/{id}", f"{SDK}RetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return of_customer(call)


@route("GET", PATH, f"{SDK}ListParams")
def list_(call: Call) -> StripeObject:
    id_ = call.get("customer", call.path["customer"])["id"]
    return lists.page(
        call, "card", f"/v1/customers/{id_}/sources", lambda c: bool(c["customer"] == id_)
    )


@route("POST", PATH + "/{id}", f"{SDK}UpdateParams")
def update(call: Call) -> StripeObject:
    card = of_customer(call)
    changes = {name: call.params[name] for name in UPDATABLE if name in call.params}
    if "metadata" in call.params:
        changes["metadata"] = call.metadata(card)
    return call.change(card, changes, "customer.source.updated")


@route("DELETE", PATH + "/{id}", f"{SDK}DeleteParams")
def delete(call: Call) -> StripeObject:
    card = of_customer(call)
    customer = call.get("customer", card["customer"])
    if customer["default_source"] == card["id"]:
        call.change(customer, {"default_source": None}, "customer.updated")
    return call.delete(card, "customer.source.deleted")
