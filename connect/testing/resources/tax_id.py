"""Customers' tax ids. None is ever verified here."""

from connect.testing import lists
from connect.testing.call import Call
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v1/customers/{customer}/tax_ids"


@route("POST", PATH, "CustomerTaxIdCreateParams")
def create(call: Call) -> StripeObject:
    customer = call.get("customer", call.path["customer"])["id"]
    return add(call, customer, call.params["type"], call.params["value"])


def add(call: Call, customer: str, type_: str, value: str) -> StripeObject:
    obj: StripeObject = {
        "id": call.new_id("txi"),
        "object": "tax_id",
        "country": None if type_.startswith("eu_") else type_[:2].upper(),
        "created": call.now,
        "customer": customer,
        "customer_account": None,
        "livemode": False,
        "owner": {"customer": customer, "customer_account": None, "type": "customer"},
        "type": type_,
        "value": value,
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
    }
    return call.insert(obj, "customer.tax_id.created")


@route("GET", PATH, "CustomerTaxIdListParams")
def list_(call: Call) -> StripeObject:
    id_ = call.get("customer", call.path["customer"])["id"]
    url = f"/v1/customers/{id_}/tax_ids"
    return lists.page(call, "tax_id", url, lambda row: bool(row["customer"] == id_))


@route("GET", PATH + "/{id}", "CustomerTaxIdRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return call.get("tax_id", call.path["id"])


@route("DELETE", PATH + "/{id}", "CustomerTaxIdDeleteParams")
def delete(call: Call) -> StripeObject:
    return call.delete(call.get("tax_id", call.path["id"]), "customer.tax_id.deleted")
