"""Items of a subscription. They live on their own and are shown inside it."""

from typing import Any

from connect.testing import errors, lists, periods
from connect.testing.call import Call
from connect.testing.resources import invoice_item, plan, price
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

subscription_item = Noun("subscription_item", "/v1/subscription_items", "SubscriptionItem")


def build(call: Call, given: dict[str, Any], owner: str) -> StripeObject:
    """An item for the subscription `owner`, not stored yet; its first period begins now."""
    found = recurring(call, given)
    every = found["recurring"]
    end = periods.after(call.now, every["interval"], every["interval_count"])
    return {
        "id": call.new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": call.now,
        "current_period_end": end,
        "current_period_start": call.now,
        "discounts": [],
        "metadata": given.get("metadata") or {},
        "plan": plan.of_price(found),
        "price": found,
        "quantity": given.get("quantity", 1),
        "subscription": owner,
        "tax_rates": [],
    }


def recurring(call: Call, given: dict[str, Any]) -> StripeObject:
    """The recurring price of an item. A plan serves as one."""
    if given.get("plan"):
        found = of_plan(call, call.get("plan", given["plan"], param="items[plan]"))
    else:
        found = invoice_item.of_price(call, given.get("price"), given.get("price_data"))
    if found["recurring"] is None:
        message = (
            f"The price specified is set to `type=one_time` but this field only accepts prices with "
            f"`type=recurring`: {found['id']}."
        )
        raise errors.Refused(400, message, param="items[price]")
    return found


def of_plan(call: Call, found: StripeObject) -> StripeObject:
    names = ("active", "billing_scheme", "currency", "nickname", "product")
    every = {name: found[name] for name in ("interval", "interval_count", "usage_type")}
    params = {name: found[name] for name in names} | {"recurring": every}
    made = price.build(call, {**params, "unit_amount": found["amount"]})
    return {**made, "id": found["id"], "metadata": found["metadata"], "created": found["created"]}


def items_of(call: Call, owner: str) -> list[StripeObject]:
    """Oldest first, as subscriptions show them."""
    rows = call.world.store.oldest_first(call.account, "subscription_item")
    return [row for row in rows if row["subscription"] == owner]


def listed(call: Call, owner: str) -> StripeObject:
    rows = items_of(call, owner)
    url = f"/v1/subscription_items?subscription={owner}"
    return {**lists.listing(url, rows), "total_count": len(rows)}


def refresh(call: Call, owner: str) -> StripeObject:
    """Show the subscription's items in it as they are now."""
    obj = call.get("subscription", owner)
    return call.change(obj, {"items": listed(call, owner)}, "customer.subscription.updated")


@subscription_item.create
def create(call: Call) -> StripeObject:
    owner = call.get("subscription", call.params["subscription"], param="subscription")
    made = call.insert(build(call, call.params, owner["id"]))
    refresh(call, owner["id"])
    return made


@subscription_item.update_with
def update(call: Call) -> StripeObject:
    obj = change(call, call.get("subscription_item", call.path["id"]), call.params)
    refresh(call, obj["subscription"])
    return obj


def change(call: Call, obj: StripeObject, given: dict[str, Any]) -> StripeObject:
    """Another price, another quantity; nothing is prorated here."""
    changes: StripeObject = {}
    if given.get("quantity") is not None:
        changes["quantity"] = given["quantity"]
    if given.get("price") or given.get("plan") or given.get("price_data"):
        found = recurring(call, given)
        changes |= {"plan": plan.of_price(found), "price": found}
    if "metadata" in given:
        changes["metadata"] = call.with_params(metadata=given["metadata"]).metadata(obj)
    return call.change(obj, changes)


@subscription_item.delete_with
def delete(call: Call) -> StripeObject:
    obj = call.get("subscription_item", call.path["id"])
    if len(items_of(call, obj["subscription"])) == 1:
        message = "A subscription must have at least one active plan. Cancel it instead."
        raise errors.Refused(400, message)
    stub = call.delete(obj)
    refresh(call, obj["subscription"])
    return stub


subscription_item.retrieve()
subscription_item.list("subscription")
