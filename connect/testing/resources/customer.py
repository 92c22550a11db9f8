"""Customers."""

from connect.testing.call import Call
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

customer = Noun("customer", "/v1/customers", "Customer")
FIELDS = (
    "address",
    "balance",
    "description",
    "email",
    "name",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)


@customer.create
def create(call: Call) -> StripeObject:
    obj: StripeObject = {
        "id": call.new_id("cus"),
        "object": "customer",
        **dict.fromkeys(FIELDS),
        "balance": 0,
        "created": call.now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": call.world.ids.characters(8, "ABCDEF0123456789"),
        "invoice_settings": invoice_settings(call),
        "livemode": False,
        "metadata": call.metadata(),
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": None,
    }
    given = {name: call.params[name] for name in FIELDS if call.params.get(name) is not None}
    return call.insert(obj | given, "customer.created")


def invoice_settings(call: Call) -> StripeObject:
    own = dict.fromkeys(("custom_fields", "default_payment_method", "footer", "rendering_options"))
    return own | (call.params.get("invoice_settings") or {})


def details(email: str | None, buyer: StripeObject) -> StripeObject:
    """What a Checkout Session tells of its buyer."""
    nothing = ("address", "business_name", "individual_name", "phone", "tax_ids")
    return {
        **dict.fromkeys(nothing),
        "email": buyer.get("email") or email,
        "name": buyer.get("name"),
        "tax_exempt": "none",
    }


customer.retrieve()
customer.list("email")
customer.update(*FIELDS, event="customer.updated")
customer.delete(event="customer.deleted")
