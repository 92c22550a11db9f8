"""Customers."""

from connect.testing.call import Call
from connect.testing.events import previous_attributes
from connect.testing.resources import (
    customer_source,
    discount,
    payment_method,
    subscription_term,
    tax_id,
)
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


SETTINGS = ("custom_fields", "default_payment_method", "footer", "rendering_options")


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
        "invoice_settings": dict.fromkeys(SETTINGS),
        "livemode": False,
        "metadata": call.metadata(),
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": clock(call),
    }
    given = {name: call.params[name] for name in FIELDS if call.params.get(name) is not None}
    obj = call.insert({**obj, **given, **text_settings(call, obj)})
    for tax in call.params.get("tax_id_data") or []:
        tax_id.add(call, obj["id"], tax["type"], tax["value"])
    obj = with_money(call, obj)
    call.emit("customer.created", obj)
    return obj


def clock(call: Call) -> str | None:
    named = call.params.get("test_clock")
    if named:
        call.get("test_helpers.test_clock", named, param="test_clock")
    return named or None


def with_money(call: Call, obj: StripeObject) -> StripeObject:
    """Attach what the request names to pay with, and give the discount it names; the caller tells of the customer."""
    params = call.params
    if params.get("source"):
        customer_source.add(call, obj, params["source"])
    attached: dict[str, str] = {}
    if params.get("payment_method"):
        method = payment_method.use(call, params["payment_method"])
        payment_method.attach_to(call, method, obj["id"])
        attached[params["payment_method"]] = method["id"]
    named = (params.get("invoice_settings") or {}).get("default_payment_method")
    if named:
        # A test name like `pm_card_visa` that stands twice in one request is one card.
        default = attached.get(named) or payment_method.use(call, named)["id"]
        settings = call.get("customer", obj["id"])["invoice_settings"]
        call.change(obj, {"invoice_settings": {**settings, "default_payment_method": default}})
    if "coupon" in params:
        discount.set_on_customer(call, call.get("customer", obj["id"]), params["coupon"])
    return call.get("customer", obj["id"])


def text_settings(call: Call, obj: StripeObject) -> StripeObject:
    """`invoice_settings` merges; the payment method in it is for `with_money`."""
    given = dict(call.params.get("invoice_settings") or {})
    if given.get("default_payment_method"):
        del given["default_payment_method"]
    return {"invoice_settings": {**obj["invoice_settings"], **given}} if given else {}


@customer.update_with
def update(call: Call) -> StripeObject:
    params = call.params
    before = call.get("customer", call.path["id"])
    changes = {name: params[name] for name in FIELDS if name in params}
    if "metadata" in params:
        changes["metadata"] = call.metadata(before)
    if params.get("default_source"):
        changes["default_source"] = call.get(
            "card", params["default_source"], param="default_source"
        )["id"]
    changes |= text_settings(call, before)
    # One event tells of all of it, whatever the parts were.
    call.change(before, changes)
    with_money(call, call.get("customer", before["id"]))
    after = call.get("customer", before["id"])
    differences = previous_attributes(before, after)
    if differences:
        call.emit("customer.updated", after, differences)
    return after


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


@customer.delete_with
def delete(call: Call) -> StripeObject:
    """Its subscriptions end with it."""
    obj = call.get("customer", call.path["id"])
    for owned in list(call.newest_first("subscription")):
        if owned["customer"] == obj["id"] and owned["ended_at"] is None:
            subscription_term.end(call, owned, {"reason": "cancellation_requested"})
    return call.delete(obj, "customer.deleted")
