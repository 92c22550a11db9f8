"""Prices."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

price = Noun("price", "/v1/prices", "Price")


@price.create
def create(call: Call) -> StripeObject:
    params = dict(call.params)
    if "product_data" in params:
        params["product"] = inline_product(call, params["product_data"])["id"]
    if "product" not in params:
        raise errors.parameter_missing("product")
    call.get("product", params["product"], param="product")
    return call.insert(build(call, params), "price.created")


def build(call: Call, params: dict[str, Any]) -> StripeObject:
    """A price, not stored yet. `unit_amount` is in minor units."""
    recurring = params.get("recurring")
    if recurring is not None:
        former = {
            "interval_count": 1,
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        }
        recurring = former | recurring
    amount, decimal = params.get("unit_amount"), params.get("unit_amount_decimal")
    if amount is None and decimal is not None and "." not in decimal:
        amount = int(decimal)
    return {
        "id": call.new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "created": call.now,
        "currency": currency(params["currency"]),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": params.get("lookup_key"),
        "metadata": call.metadata(),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": recurring,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": amount,
        "unit_amount_decimal": decimal
        if decimal is not None
        else amount
        if amount is None
        else str(amount),
    }


def inline_product(call: Call, data: dict[str, Any]) -> StripeObject:
    """A product that is named along with its price."""
    obj: StripeObject = {
        "id": data.get("id") or call.new_id("prod"),
        "object": "product",
        "active": data.get("active", True),
        "created": call.now,
        "default_price": None,
        "description": data.get("description"),
        "images": data.get("images") or [],
        "livemode": False,
        "marketing_features": [],
        "metadata": data.get("metadata") or {},
        "name": data["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": call.now,
        "url": None,
    }
    return call.insert(obj, "product.created")


def currency(code: str) -> str:
    """Raises Refused for what is no currency code; Stripe takes either case and answers in lower case."""
    if not (len(code) == 3 and code.isascii() and code.isalpha()):
        raise errors.Refused(400, f"Invalid currency: {code}.", param="currency")
    return code.lower()


price.retrieve()
price.list("active", "currency", "product", "type")
price.update("active", "lookup_key", "nickname", "tax_behavior", event="price.updated")
