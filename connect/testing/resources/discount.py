"""Discounts: coupons in use, on a customer, a subscription or an invoice."""

from typing import Any

from connect.testing.call import Call
from connect.testing.routing import route
from connect.testing.store import StripeObject

NOTHING = ("checkout_session", "customer_account", "end", "invoice", "invoice_item")


def build(call: Call, coupon: str, **links: Any) -> StripeObject:
    """A use of the coupon. `links` name the customer, the subscription, the promotion code."""
    call.get("coupon", coupon, param="coupon")
    return {
        "id": call.new_id("di"),
        "object": "discount",
        **dict.fromkeys((*NOTHING, "customer", "promotion_code", "subscription")),
        "source": {"coupon": coupon, "type": "coupon"},
        "start": call.now,
        "subscription_item": None,
        **links,
    }


def redeem(call: Call, given: list[dict[str, Any]] | None, **links: Any) -> list[StripeObject]:
    """The discounts that the parameter `discounts` asks for, stored. A promotion code stands for its coupon."""
    made = []
    for wanted in given or []:
        if wanted.get("discount"):
            made.append(call.get("discount", wanted["discount"], param="discounts"))
            continue
        coupon, code = wanted.get("coupon", ""), wanted.get("promotion_code")
        if code:
            coupon = call.get("promotion_code", code, param="discounts")["promotion"]["coupon"]
        discount = build(call, coupon, promotion_code=code, **links)
        made.append(call.insert(discount))
    return made


def off(call: Call, discounts: list[StripeObject], subtotal: int) -> int:
    """What they take off together, in minor units: never more than there is."""
    total = 0
    for discount in discounts:
        coupon = call.find("coupon", discount["source"]["coupon"])
        if (
            coupon is None
        ):  # deleted meanwhile: what was redeemed goes on, but nobody knows how much it was
            continue
        percent = coupon["percent_off"]
        total += coupon["amount_off"] if percent is None else round(subtotal * percent / 100)
    return min(subtotal, total)


def set_on_customer(call: Call, customer: StripeObject, coupon: str | None) -> StripeObject:
    """Give the customer this coupon instead of what it had; None takes it away. The caller tells of the customer."""
    former = customer["discount"]
    made = None if coupon is None else build(call, coupon, customer=customer["id"])
    changed = call.change(customer, {"discount": made})
    if made is None and former is not None:
        call.emit("customer.discount.deleted", former)
    elif made is not None and former is None:
        call.emit("customer.discount.created", made)
    elif made is not None:
        source = {"source": former["source"], "id": former["id"]}
        call.emit("customer.discount.updated", made, source)
    return changed


@route("DELETE", "/v1/customers/{customer}/discount", "CustomerDeleteDiscountParams")
def delete(call: Call) -> StripeObject:
    customer = call.get("customer", call.path["customer"])
    former = customer["discount"]
    after = set_on_customer(call, customer, None)
    if former is not None:
        call.emit("customer.updated", after, {"discount": former})
    return {"id": former and former["id"], "object": "discount", "deleted": True}
