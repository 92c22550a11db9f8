"""Subscriptions: items that are invoiced every period, after a trial if there is one. Nothing is prorated."""

from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import (
    discount,
    invoice_draft,
    invoice_item,
    invoice_payment,
    payment_method,
    subscription_item,
    subscription_term,
)
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

subscription = Noun("subscription", "/v1/subscriptions", "Subscription")
DAY_SECONDS = 24 * 3600
ENDED = ("canceled", "incomplete_expired")
AS_GIVEN = (
    "application_fee_percent",
    "days_until_due",
    "default_source",
    "description",
    "on_behalf_of",
    "pause_collection",
    "transfer_data",
)
NOTHING = (
    "automatic_tax",
    "billing_cycle_anchor_config",
    "billing_thresholds",
    "cancel_at",
    "canceled_at",
    "customer_account",
    "ended_at",
    "latest_invoice",
    "managed_payments",
    "next_pending_invoice_item_invoice",
    "pending_invoice_item_interval",
    "pending_setup_intent",
    "pending_update",
    "schedule",
    "trial_end",
    "trial_start",
)
NO_METHOD = (
    "This customer has no attached payment source or default payment method. Please consider adding a default "
    "payment method. For more information, visit https://stripe.com/docs/billing/payments-methods."
)


@subscription.create
def create(call: Call) -> StripeObject:
    if "customer" not in call.params:
        raise errors.parameter_missing("customer")
    customer = call.get("customer", call.params["customer"], param="customer")
    return start(subscription_term.on_clock_of(call, customer), customer, call.params)


def start(call: Call, customer: StripeObject, params: dict[str, Any]) -> StripeObject:
    """Create it with its first invoice. Whether that can be paid decides whether it is active."""
    id_ = call.new_id("sub")
    if not params.get("items"):
        raise errors.parameter_missing("items")
    items = [call.insert(subscription_item.build(call, given, id_)) for given in params["items"]]
    for added in params.get("add_invoice_items") or []:
        pricing = {"pricing": {"price": added["price"]}} if added.get("price") else {}
        data = {name: added[name] for name in ("price_data", "quantity") if name in added}
        invoice_item.create(call.with_params(customer=customer["id"], **pricing, **data))
    obj = build(call, customer, params, items)
    if obj["status"] == "trialing":
        items = [call.change(item, {"current_period_end": obj["trial_end"]}) for item in items]
    obj["items"] = subscription_item.listed(call, id_)
    check_method(call, obj, params)
    call.insert(obj, "customer.subscription.created")
    subscription_term.schedule(call, obj)
    return subscription_term.bill(call, obj, "subscription_create", params)


def build(
    call: Call, customer: StripeObject, params: dict[str, Any], items: list[StripeObject]
) -> StripeObject:
    id_, trial_end = items[0]["subscription"], end_of_trial(call, params)
    method = params.get("default_payment_method")
    reduced = discount.redeem(
        call, params.get("discounts"), customer=customer["id"], subscription=id_
    )
    return {
        "id": id_,
        "object": "subscription",
        **dict.fromkeys(NOTHING),
        **{name: params.get(name) for name in AS_GIVEN},
        "application": call.world.application if call.account else None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": trial_end or call.now,
        "billing_mode": {"flexible": None, "type": "classic"},
        "billing_schedules": [],
        "cancel_at_period_end": params.get("cancel_at_period_end", False),
        "cancellation_details": dict.fromkeys(("comment", "feedback", "reason")),
        "collection_method": params.get("collection_method", "charge_automatically"),
        "created": call.now,
        "currency": items[0]["price"]["currency"],
        "customer": customer["id"],
        "default_payment_method": method and payment_method.use(call, method)["id"],
        "default_tax_rates": invoice_draft.rates(call, params.get("default_tax_rates")),
        "discounts": [made["id"] for made in reduced],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {},
        "livemode": False,
        "metadata": call.with_params(metadata=params.get("metadata") or {}).metadata(),
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
            **(params.get("payment_settings") or {}),
        },
        "start_date": call.now,
        "status": "trialing" if trial_end else "incomplete",
        "test_clock": customer["test_clock"],
        "trial_end": trial_end,
        "trial_settings": params.get("trial_settings")
        or {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": call.now if trial_end else None,
    }


def end_of_trial(call: Call, params: dict[str, Any]) -> int | None:
    end = params.get("trial_end")
    if params.get("trial_period_days"):
        end = call.now + params["trial_period_days"] * DAY_SECONDS
    return None if end in {None, "now"} or int(end) <= call.now else int(end)


def check_method(call: Call, obj: StripeObject, params: dict[str, Any]) -> None:
    """What is to be charged by itself needs something to charge, unless that may come later."""
    behaviour = params.get("payment_behavior", "allow_incomplete")
    free = sum((item["price"]["unit_amount"] or 0) for item in obj["items"]["data"]) == 0
    automatic = obj["collection_method"] == "charge_automatically"
    if obj["status"] == "trialing" or free or not automatic or behaviour == "default_incomplete":
        return
    draft = {"customer": obj["customer"], "default_payment_method": obj["default_payment_method"]}
    if invoice_payment.method_for(call.with_params(), draft) is None:
        raise errors.Refused(400, NO_METHOD, code="resource_missing")


@subscription.update_with
def update(call: Call) -> StripeObject:
    obj, params = call.get("subscription", call.path["id"]), call.params
    if obj["status"] in ENDED:
        message = (
            f"A {obj['status']} subscription can only update its cancellation_details and metadata."
        )
        raise errors.Refused(400, message)
    call = subscription_term.on_clock_of(call, call.get("customer", obj["customer"]))
    changes = {name: params[name] for name in AS_GIVEN if name in params}
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    if params.get("default_payment_method"):
        method = payment_method.use(call, params["default_payment_method"])
        changes["default_payment_method"] = method["id"]
    if "cancel_at_period_end" in params:
        changes |= cancelling(call, obj, params["cancel_at_period_end"])
    if "discounts" in params:
        links = {"customer": obj["customer"], "subscription": obj["id"]}
        reduced = discount.redeem(call, params["discounts"], **links)
        changes["discounts"] = [made["id"] for made in reduced]
    if params.get("items"):
        change_items(call, obj, params["items"])
        changes["items"] = subscription_item.listed(call, obj["id"])
    obj = call.change(obj, changes, "customer.subscription.updated")
    if params.get("trial_end") == "now" and obj["status"] == "trialing":
        return subscription_term.end_trial(call, obj)
    return obj


def cancelling(call: Call, obj: StripeObject, at_period_end: bool) -> StripeObject:
    end = subscription_term.period_end(obj) if at_period_end else None
    asked = {"reason": "cancellation_requested"} if at_period_end else {"reason": None}
    return {
        "cancel_at": end,
        "cancel_at_period_end": at_period_end,
        "canceled_at": call.now if at_period_end else None,
        "cancellation_details": {**obj["cancellation_details"], **asked},
    }


def change_items(call: Call, obj: StripeObject, wanted: list[dict[str, Any]]) -> None:
    for given in wanted:
        if not given.get("id"):
            call.insert(subscription_item.build(call, given, obj["id"]))
            continue
        item = call.get("subscription_item", given["id"], param="items[id]")
        if item["subscription"] != obj["id"]:
            raise errors.resource_missing(
                "subscription_item", item["id"], param="items[id]", in_path=False
            )
        if given.get("deleted"):
            call.delete(item)
        else:
            subscription_item.change(call, item, given)


@route("DELETE", subscription.path + "/{id}", "SubscriptionCancelParams")
def cancel(call: Call) -> StripeObject:
    obj = call.get("subscription", call.path["id"])
    if obj["status"] in ENDED:
        raise errors.resource_missing("subscription", obj["id"])
    given = call.params.get("cancellation_details") or {}
    call = subscription_term.on_clock_of(call, call.get("customer", obj["customer"]))
    return subscription_term.end(call, obj, {"reason": "cancellation_requested", **given})


@route("GET", subscription.path, "SubscriptionListParams")
def list_(call: Call) -> StripeObject:
    """Without a status, all but those that were canceled."""
    wanted = call.params.get("status")
    customer, price = call.params.get("customer"), call.params.get("price")

    def keep(obj: StripeObject) -> bool:
        listed = (
            wanted == "all" or obj["status"] != "canceled" if wanted in {None, "all"} else False
        )
        listed = listed or obj["status"] == wanted or (wanted == "ended" and obj["status"] in ENDED)
        prices = {item["price"]["id"] for item in obj["items"]["data"]}
        return listed and customer in {None, obj["customer"]} and (price is None or price in prices)

    return lists.page(call, "subscription", subscription.path, keep)


subscription.retrieve()
