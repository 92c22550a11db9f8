"""Subscription schedules, in a simple form: phases one after the other, each with its items."""

from collections.abc import Callable
from typing import Any, TypeAlias

from connect.testing import errors, periods
from connect.testing.call import Call
from connect.testing.resources import (
    subscription,
    subscription_item,
    subscription_term,
)
from connect.testing.routing import Noun, job
from connect.testing.store import StripeObject

NAME = "subscription_schedule"
schedule = Noun(NAME, "/v1/subscription_schedules", "SubscriptionSchedule")
NOTICE_SECONDS = 7 * 24 * 3600
OPEN = ("not_started", "active")
# When something is due (None: nothing is), and what.
Turn: TypeAlias = tuple[int | None, Callable[[Call, StripeObject], object]]
PHASE: dict[str, Any] = {
    "add_invoice_items": [],
    "application_fee_percent": None,
    "billing_cycle_anchor": None,
    "billing_thresholds": None,
    "collection_method": None,
    "default_payment_method": None,
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "invoice_settings": None,
    "metadata": {},
    "on_behalf_of": None,
    "proration_behavior": "create_prorations",
    "transfer_data": None,
    "trial_end": None,
}
SETTINGS: dict[str, Any] = {
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor": "automatic",
    "billing_thresholds": None,
    "collection_method": "charge_automatically",
    "default_payment_method": None,
    "description": None,
    "invoice_settings": {
        "account_tax_ids": None,
        "days_until_due": None,
        "issuer": {"type": "self"},
    },
    "on_behalf_of": None,
    "transfer_data": None,
}


@schedule.create
def create(call: Call) -> StripeObject:
    params = call.params
    if not params.get("customer") or not params.get("phases"):
        raise errors.parameter_missing("phases" if params.get("customer") else "customer")
    customer = call.get("customer", params["customer"], param="customer")
    call = subscription_term.on_clock_of(call, customer)
    start = params.get("start_date", "now")
    begins = call.now if start == "now" else int(start)
    obj: StripeObject = {
        "id": call.new_id("sub_sched"),
        "object": NAME,
        "application": call.world.application if call.account else None,
        "billing_mode": {"flexible": None, "type": "classic"},
        "canceled_at": None,
        "completed_at": None,
        "created": call.now,
        "current_phase": None,
        "customer": customer["id"],
        "customer_account": None,
        "default_settings": SETTINGS | (params.get("default_settings") or {}),
        "end_behavior": params.get("end_behavior", "release"),
        "livemode": False,
        "metadata": call.metadata(),
        "phases": phases(call, params["phases"], begins),
        "released_at": None,
        "released_subscription": None,
        "status": "not_started",
        "subscription": None,
        "test_clock": customer["test_clock"],
    }
    call.insert(obj, f"{NAME}.created")
    if begins <= call.now:
        return begin(call, obj)
    call.later(begins, "subscription_schedule.turn", obj["id"])
    return obj


def phases(call: Call, given: list[dict[str, Any]], begins: int) -> list[StripeObject]:
    rows = []
    for wanted in given:
        items = [subscription_item.build(call, item, "") for item in wanted["items"]]
        ends = wanted.get("end_date") or end_of(wanted, items[0]["price"]["recurring"], begins)
        shown = [
            {"discounts": [], "metadata": {}, "tax_rates": [], "billing_thresholds": None}
            | {
                "plan": item["plan"]["id"],
                "price": item["price"]["id"],
                "quantity": item["quantity"],
            }
            for item in items
        ]
        own = {name: wanted[name] for name in PHASE.keys() & wanted.keys()}
        dates = {"currency": items[0]["price"]["currency"], "start_date": begins, "end_date": ends}
        rows.append({**PHASE, **own, **dates, "items": shown})
        begins = ends
    return rows


def end_of(wanted: dict[str, Any], every: StripeObject, begins: int) -> int:
    """A phase lasts for its duration, or for so many periods of its price: one, if nothing else is said."""
    if wanted.get("duration"):
        length = wanted["duration"]
        return periods.after(begins, length["interval"], length.get("interval_count", 1))
    count = wanted.get("iterations", 1) * every["interval_count"]
    return periods.after(begins, every["interval"], count)


def begin(call: Call, obj: StripeObject) -> StripeObject:
    """The first phase: the subscription comes into being, and is not charged for yet where it cannot be."""
    first = obj["phases"][0]
    params = {
        "items": [{"price": i["price"], "quantity": i["quantity"]} for i in first["items"]],
        "payment_behavior": "default_incomplete",
    }
    customer = call.get("customer", obj["customer"])
    made = subscription.start(call, customer, params)
    call.change(made, {"schedule": obj["id"], "status": "active"}, "customer.subscription.updated")
    dates = {"end_date": first["end_date"], "start_date": first["start_date"]}
    changes = {"current_phase": dates, "status": "active", "subscription": made["id"]}
    come(call, obj, first["end_date"])
    return call.change(obj, changes, f"{NAME}.updated")


def turns(call: Call, obj: StripeObject) -> Turn:
    """What is due next: the first phase, the notice before the last one ends, the end of the phase."""
    if obj["status"] == "not_started":
        return obj["phases"][0]["start_date"], begin
    if obj["status"] != "active":
        return None, turn
    end = obj["current_phase"]["end_date"]
    if end == obj["phases"][-1]["end_date"] and not noticed(call, obj):
        return end - NOTICE_SECONDS, notice
    return end, turn


def noticed(call: Call, obj: StripeObject) -> bool:
    """No field of the schedule says that the notice was sent; its event does."""
    return any(
        event["type"] == f"{NAME}.expiring" and event["data"]["object"]["id"] == obj["id"]
        for event in call.newest_first("event")
    )


def notice(call: Call, obj: StripeObject) -> None:
    call.emit(f"{NAME}.expiring", obj)


def come(call: Call, obj: StripeObject, end: int) -> None:
    """Have the clock come by before and at the end of the phase."""
    for at in (end - NOTICE_SECONDS, end):
        call.later(at, "subscription_schedule.turn", obj["id"])


@job("subscription_schedule.turn", NAME)
def turn_by_itself(call: Call, obj: StripeObject) -> None:
    at, due = turns(call, obj)
    if obj["test_clock"] is None and at is not None and at <= call.now:
        due(call, obj)


def turn(call: Call, obj: StripeObject) -> StripeObject:
    """The phase is over: the next one, or the end."""
    end = obj["current_phase"]["end_date"]
    later = [phase for phase in obj["phases"] if phase["start_date"] >= end]
    if not later:
        return complete(call, obj)
    owner = call.get("subscription", obj["subscription"])
    for item in subscription_item.items_of(call, owner["id"]):
        call.delete(item)
    for item in later[0]["items"]:
        given = {"price": item["price"], "quantity": item["quantity"]}
        call.insert(subscription_item.build(call, given, owner["id"]))
    subscription_item.refresh(call, owner["id"])
    dates = {"end_date": later[0]["end_date"], "start_date": later[0]["start_date"]}
    come(call, obj, later[0]["end_date"])
    return call.change(obj, {"current_phase": dates}, f"{NAME}.updated")


def complete(call: Call, obj: StripeObject) -> StripeObject:
    if obj["end_behavior"] == "cancel":
        owner = call.get("subscription", obj["subscription"])
        subscription_term.end(call, owner, {"reason": "cancellation_requested"})
    changes = {"completed_at": call.now, "current_phase": None, "status": "completed"}
    obj = call.change(obj, changes, f"{NAME}.completed")
    return obj if obj["end_behavior"] == "cancel" else release(call, obj)


def release(call: Call, obj: StripeObject) -> StripeObject:
    """The subscription goes on without it."""
    if obj["subscription"]:
        owner = call.get("subscription", obj["subscription"])
        call.change(owner, {"schedule": None}, "customer.subscription.updated")
    changes = {
        "current_phase": None,
        "released_at": call.now,
        "released_subscription": obj["subscription"],
        "status": "completed" if obj["status"] == "completed" else "released",
        "subscription": None,
    }
    return call.change(obj, changes, f"{NAME}.released")


def open_one(call: Call) -> StripeObject:
    obj = call.get(NAME, call.path["id"])
    if obj["status"] not in OPEN:
        raise errors.Refused(400, f"Subscription schedule {obj['id']} is {obj['status']} already.")
    return obj


@schedule.action("release")
def release_named(call: Call) -> StripeObject:
    return release(call, open_one(call))


@schedule.action("cancel")
def cancel(call: Call) -> StripeObject:
    obj = open_one(call)
    if obj["subscription"]:
        owner = call.get("subscription", obj["subscription"])
        subscription_term.end(call, owner, {"reason": "cancellation_requested"})
    changes = {"canceled_at": call.now, "current_phase": None, "status": "canceled"}
    return call.change(obj, changes, f"{NAME}.canceled")


schedule.retrieve()
schedule.list("customer")
schedule.update("end_behavior", event=f"{NAME}.updated")
