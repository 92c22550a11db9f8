"""Plans: recurring prices under their older name."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources.coupon import refuse_taken
from connect.testing.resources.price import currency, inline_product
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

plan = Noun("plan", "/v1/plans", "Plan")


@plan.create
def create(call: Call) -> StripeObject:
    params = call.params
    id_ = params.get("id") or call.new_id("plan")
    refuse_taken(call, "plan", id_)
    return call.insert(build(call, {**params, "product": product(call)}, id_), "plan.created")


def product(call: Call) -> str:
    given = call.params.get("product")
    if isinstance(given, dict):
        return str(inline_product(call, given)["id"])
    if given is None:
        raise errors.parameter_missing("product")
    return str(call.get("product", given, param="product")["id"])


def build(call: Call, params: dict[str, Any], id_: str) -> StripeObject:
    amount, decimal = params.get("amount"), params.get("amount_decimal")
    if amount is None and decimal is not None and "." not in decimal:
        amount = int(decimal)
    return {
        "id": id_,
        "object": "plan",
        "active": params.get("active", True),
        "amount": amount,
        "amount_decimal": decimal if amount is None else str(amount),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "created": call.now,
        "currency": currency(params["currency"]),
        "interval": params["interval"],
        "interval_count": params.get("interval_count", 1),
        "livemode": False,
        "metadata": call.metadata(),
        "meter": params.get("meter"),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "tiers_mode": params.get("tiers_mode"),
        "transform_usage": params.get("transform_usage"),
        "trial_period_days": params.get("trial_period_days"),
        "usage_type": params.get("usage_type", "licensed"),
    }


def of_price(price: StripeObject) -> StripeObject:
    """A recurring price as items of subscriptions still show it beside the price."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": None,
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


plan.retrieve()
plan.list("active", "product")
plan.update("active", "nickname", "trial_period_days", event="plan.updated")
plan.delete(event="plan.deleted")
