"""Checkout Sessions. Paying on the local page makes what the mode says and completes the session."""

from dataclasses import dataclass
from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import checkout_mode, customer, price
from connect.testing.resources.payment_checks import check_connect
from connect.testing.routing import Noun, job, route
from connect.testing.store import StripeObject

session = Noun("checkout.session", "/v1/checkout/sessions", "checkout.Session")
VALID_SECONDS = 24 * 3600
AS_GIVEN = (
    "allow_promotion_codes",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "consent_collection",
    "customer",
    "customer_email",
    "locale",
    "origin_context",
    "shipping_address_collection",
    "submit_type",
    "success_url",
)
NOTHING = (
    "after_expiration",
    "client_secret",
    "collected_information",
    "consent",
    "currency_conversion",
    "customer_account",
    "customer_creation",
    "customer_details",
    "discounts",
    "integration_identifier",
    "invoice",
    "payment_intent",
    "payment_link",
    "payment_method_configuration_details",
    "permissions",
    "recovered_from",
    "setup_intent",
    "shipping_cost",
    "subscription",
    "wallet_options",
)


@session.create
def create(call: Call) -> StripeObject:
    params = call.params
    if params.get("customer"):
        call.get("customer", params["customer"], param="customer")
    id_ = call.new_id("cs_test")
    items = [line_item(call, item) for item in params.get("line_items") or []]
    checkout_mode.check(call, items)
    currencies = {item["currency"] for item in items} or {params.get("currency")}
    if len(currencies) > 1:
        raise errors.Refused(400, "All line items must have one currency.", param="line_items")
    subtotal = sum(item["amount_subtotal"] for item in items)
    trial = (params.get("subscription_data") or {}).get("trial_period_days")
    subtotal = 0 if trial else subtotal
    discount = min(subtotal, discounted(call, subtotal))
    check_connect(call, params.get("payment_intent_data") or {}, subtotal - discount)
    obj: StripeObject = {
        "id": id_,
        "object": "checkout.session",
        **{name: params.get(name) for name in AS_GIVEN},
        **dict.fromkeys(NOTHING),
        "adaptive_pricing": {"enabled": False},
        "amount_subtotal": subtotal,
        "amount_total": subtotal - discount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": call.now,
        "currency": currencies.pop(),
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "customer_creation": params.get("customer_creation", "if_required"),
        "expires_at": params.get("expires_at", call.now + VALID_SECONDS),
        "invoice_creation": {"enabled": False},
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": call.metadata(),
        "mode": params["mode"],
        "payment_method_collection": "if_required",
        "payment_method_options": {},
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "saved_payment_method_options": None,
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": discount, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{call.base_url}/c/pay/{id_}",
    }
    data = params.get(DATA[params["mode"]]) or {}
    opened = Opened(call.account, items, data, params.get("discounts") or [])
    call.after(lambda: call.world.sessions.update({id_: opened}))
    call.later(obj["expires_at"], "checkout.session.expire", id_)
    return call.insert(obj)


# Where the request says what goes on to the object that paying makes.
DATA = {
    "payment": "payment_intent_data",
    "setup": "setup_intent_data",
    "subscription": "subscription_data",
}


@dataclass(frozen=True)
class Opened:
    """What a session remembers and does not show: its account, its lines, what paying it will need."""

    account: str
    items: list[StripeObject]
    data: dict[str, Any]
    discounts: list[dict[str, Any]]


def line_item(call: Call, item: dict[str, Any]) -> StripeObject:
    if item.get("price"):
        priced = call.get("price", item["price"], param="line_items[price]")
    elif item.get("price_data"):
        data = dict(item["price_data"])
        if "product_data" in data:
            data["product"] = price.inline_product(call, data["product_data"])["id"]
        call.get("product", data.get("product", ""), param="line_items[price_data][product]")
        priced = call.insert({**price.build(call, data), "metadata": {}}, "price.created")
    else:
        raise errors.parameter_missing("line_items[0][price]")
    quantity = item.get("quantity", 1)
    amount = (priced["unit_amount"] or 0) * quantity
    return {
        "id": call.new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": priced["currency"],
        "description": call.get("product", priced["product"])["name"],
        "metadata": {},
        "price": priced,
        "quantity": quantity,
    }


def discounted(call: Call, subtotal: int) -> int:
    """What the coupons take off, in minor units."""
    off = 0
    for discount in call.params.get("discounts") or []:
        named, code = discount.get("coupon", ""), discount.get("promotion_code")
        if code:
            named = call.get("promotion_code", code, param="discounts")["promotion"]["coupon"]
        coupon = call.get("coupon", named, param="discounts[coupon]")
        if coupon["percent_off"] is not None:
            off += round(subtotal * coupon["percent_off"] / 100)
        else:
            off += coupon["amount_off"]
    return off


@route("GET", session.path + "/{id}/line_items", "checkout.SessionLineItemListParams")
def line_items(call: Call) -> StripeObject:
    obj = call.get("checkout.session", call.path["id"])
    return lists.listing(
        f"{session.path}/{obj['id']}/line_items", call.world.sessions[obj["id"]].items
    )


@session.action("expire")
def expire(call: Call) -> StripeObject:
    obj = call.get("checkout.session", call.path["id"])
    if obj["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {obj["status"]}.'
        raise errors.Refused(400, message)
    return call.change(obj, {"status": "expired", "url": None}, "checkout.session.expired")


@job("checkout.session.expire", "checkout.session")
def expire_by_itself(call: Call, obj: StripeObject) -> None:
    if obj["status"] == "open":
        call.change(obj, {"status": "expired", "url": None}, "checkout.session.expired")


def pay(call: Call, obj: StripeObject, method: str, buyer: StripeObject) -> StripeObject:
    """Pay an open session, as the hosted page does. `call` is in the session's account; `buyer` has name and email.

    Raises Refused (402) if the card is declined; the session stays open.
    """
    if obj["status"] != "open":
        raise errors.Refused(400, f"This Checkout Session is {obj['status']}.")
    changes: StripeObject = {
        "customer": obj["customer"],
        "customer_details": customer.details(obj["customer_email"], buyer),
        "status": "complete",
        "url": None,
    }
    if obj["customer"] is None and (
        obj["customer_creation"] == "always" or obj["mode"] == "subscription"
    ):
        known = call.with_params(email=changes["customer_details"]["email"], name=buyer.get("name"))
        changes["customer"] = customer.create(known)["id"]
    opened = call.world.sessions[obj["id"]]
    changes |= checkout_mode.MODES[obj["mode"]](call, {**obj, **changes}, opened, method)
    return call.change(obj, changes, "checkout.session.completed")


@job("checkout.session.settle", "checkout.session")
def settle(call: Call, obj: StripeObject) -> None:
    """A payment that was still on its way when the session was completed has arrived, or will not."""
    intent = call.get("payment_intent", obj["payment_intent"])
    paid = intent["status"] == "succeeded"
    outcome = "succeeded" if paid else "failed"
    changes = {"payment_status": "paid"} if paid else {}
    call.change(obj, changes, f"checkout.session.async_payment_{outcome}")


session.retrieve()
session.list("customer", "payment_intent", "status")
session.update()
