"""Promotion codes: what a buyer types in to get a coupon."""

import string

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

promotion_code = Noun("promotion_code", "/v1/promotion_codes", "PromotionCode")


@promotion_code.create
def create(call: Call) -> StripeObject:
    params = call.params
    coupon = params.get("coupon") or (params.get("promotion") or {}).get("coupon")
    if coupon is None:
        raise errors.parameter_missing("promotion[coupon]")
    call.get("coupon", coupon, param="promotion[coupon]")
    if params.get("customer"):
        call.get("customer", params["customer"], param="customer")
    restrictions = {
        "first_time_transaction": False,
        "minimum_amount": None,
        "minimum_amount_currency": None,
    }
    code = params.get("code") or call.world.ids.characters(8, string.ascii_uppercase)
    obj: StripeObject = {
        "id": call.new_id("promo"),
        "object": "promotion_code",
        "active": params.get("active", True),
        "code": unused(call, code),
        "created": call.now,
        "customer": params.get("customer"),
        "customer_account": None,
        "expires_at": params.get("expires_at"),
        "livemode": False,
        "max_redemptions": params.get("max_redemptions"),
        "metadata": call.metadata(),
        "promotion": {"coupon": coupon, "type": "coupon"},
        "restrictions": restrictions | (params.get("restrictions") or {}),
        "times_redeemed": 0,
    }
    return call.insert(obj, "promotion_code.created")


def unused(call: Call, code: str) -> str:
    """A code is unique among the active ones, whatever its case."""
    for row in call.newest_first("promotion_code"):
        if row["active"] and row["code"].lower() == code.lower():
            message = f"An active promotion code with `code: {code}` already exists."
            raise errors.Refused(400, message, code="resource_already_exists", param="code")
    return code


promotion_code.retrieve()
promotion_code.list("active", "code", "customer")
promotion_code.update("active", event="promotion_code.updated")
