"""A subscription's life in time: trial, period after period, its end. Everything happens by the clock."""

from dataclasses import replace
from typing import Any

from connect.testing import errors, periods
from connect.testing.call import Call
from connect.testing.resources import (
    invoice,
    invoice_draft,
    invoice_lines,
    invoice_payment,
    subscription_item,
)
from connect.testing.routing import job
from connect.testing.store import StripeObject

TRIAL_NOTICE_SECONDS = 3 * 24 * 3600
RUNNING = ("trialing", "active", "past_due")


def on_clock_of(call: Call, customer: StripeObject) -> Call:
    """The call at the time of the customer's test clock, if it has one."""
    clock = call.find("test_helpers.test_clock", customer["test_clock"] or "")
    return call if clock is None else replace(call, at_unix=clock["frozen_time"])


def period_end(obj: StripeObject) -> int:
    ends = [int(item["current_period_end"]) for item in obj["items"]["data"]]
    return min(ends)


def schedule(call: Call, obj: StripeObject) -> None:
    """Have the end of the period come, and the notice before the end of a trial. Test clocks come by themselves."""
    if obj["test_clock"] is None:
        call.later(period_end(obj), "subscription.turn", obj["id"])
    if obj["status"] == "trialing":
        at = max(obj["trial_end"] - TRIAL_NOTICE_SECONDS, call.now)
        call.later(at, "subscription.trial_will_end", obj["id"])


def bill(call: Call, obj: StripeObject, reason: str, params: dict[str, Any]) -> StripeObject:
    """Invoice the period, and charge it where that is done by itself. Raises Refused only if the request wants it."""
    rows = []
    for item in obj["items"]["data"]:
        product = call.find("product", item["price"]["product"]) or {"name": "Deleted product"}
        rows.append(invoice_lines.line_of_subscription(obj, item, product["name"]))
    made = invoice.finalize(call, invoice_draft.of_subscription(call, obj, rows, reason))
    changes = {"latest_invoice": made["id"], "status": outcome(call, obj, made, params)}
    return call.change(obj, changes, "customer.subscription.updated")


def outcome(call: Call, obj: StripeObject, made: StripeObject, params: dict[str, Any]) -> str:
    """The subscription's status after its invoice was issued, and charged where that is done by itself."""
    good = "trialing" if obj["status"] == "trialing" else "active"
    if obj["collection_method"] == "send_invoice" and made["status"] != "paid":
        call.emit("invoice.sent", made)
        return good
    if made["status"] == "paid":
        return good
    behaviour = params.get("payment_behavior", "allow_incomplete")
    if behaviour == "default_incomplete":
        invoice_payment.open_intent(call.with_params(), made)
        return str(obj["status"])
    first = obj["status"] == "incomplete"
    try:
        passed = call.params.get("authenticated")
        paid = invoice_payment.attempt(call.with_params(authenticated=passed), made)
    except errors.Refused as refused:
        if behaviour == "error_if_incomplete" or (first and not refused.commit):
            raise
        return "incomplete" if first else "past_due"
    return good if paid["status"] == "paid" or not first else "incomplete"


def activate(call: Call, obj: StripeObject) -> StripeObject:
    return call.change(obj, {"status": "active"}, "customer.subscription.updated")


@job("subscription.paid", "subscription")
def paid(call: Call, obj: StripeObject) -> None:
    """An invoice was paid after all."""
    if obj["status"] in {"incomplete", "past_due"}:
        activate(call, obj)


@job("subscription.trial_will_end", "subscription")
def trial_will_end(call: Call, obj: StripeObject) -> None:
    if obj["status"] == "trialing":
        call.emit("customer.subscription.trial_will_end", obj)


@job("subscription.turn", "subscription")
def turn_by_itself(call: Call, obj: StripeObject) -> None:
    if period_end(obj) <= call.now:
        turn(call, obj)


def turn(call: Call, obj: StripeObject) -> StripeObject:
    """The period is over: the next begins, or the subscription ends."""
    if obj["status"] not in RUNNING:
        return obj
    if obj["cancel_at_period_end"]:
        return end(call, obj, {"reason": "cancellation_requested"})
    if obj["status"] == "trialing":
        return end_trial(call, obj)
    return renew(call, obj)


def renew(call: Call, obj: StripeObject) -> StripeObject:
    for item in subscription_item.items_of(call, obj["id"]):
        if item["current_period_end"] <= call.now:
            begin(call, item, item["current_period_end"])
    obj = subscription_item.refresh(call, obj["id"])
    schedule(call, obj)
    return bill(call, obj, "subscription_cycle", {})


def begin(call: Call, item: StripeObject, at_unix: int) -> StripeObject:
    every = item["price"]["recurring"]
    until = periods.after(at_unix, every["interval"], every["interval_count"])
    return call.change(item, {"current_period_start": at_unix, "current_period_end": until})


def end_trial(call: Call, obj: StripeObject) -> StripeObject:
    """The first period that costs. Without a payment method, what `trial_settings` says."""
    draft = {"customer": obj["customer"], "default_payment_method": obj["default_payment_method"]}
    missing = invoice_payment.method_for(call.with_params(), draft) is None
    wanted = obj["trial_settings"]["end_behavior"]["missing_payment_method"]
    ended = {"trial_end": min(obj["trial_end"], call.now)}
    if missing and wanted == "cancel":
        return end(call, call.change(obj, ended), {"reason": "payment_failed"})
    if missing and wanted == "pause":
        changes = {**ended, "status": "paused"}
        return call.change(
            obj, changes, "customer.subscription.paused", "customer.subscription.updated"
        )
    for item in subscription_item.items_of(call, obj["id"]):
        begin(call, item, call.now)
    changes = {**ended, "status": "active", "items": subscription_item.listed(call, obj["id"])}
    changes["billing_cycle_anchor"] = call.now
    obj = call.change(obj, changes, "customer.subscription.updated")
    schedule(call, obj)
    if missing and obj["collection_method"] == "charge_automatically":
        return call.change(obj, {"status": "past_due"}, "customer.subscription.updated")
    return bill(call, obj, "subscription_cycle", {})


def end(call: Call, obj: StripeObject, why: StripeObject) -> StripeObject:
    changes = {
        "cancel_at_period_end": False,
        "canceled_at": obj["canceled_at"] or call.now,
        "cancellation_details": {**obj["cancellation_details"], **why},
        "ended_at": call.now,
        "status": "canceled",
    }
    return call.change(obj, changes, "customer.subscription.deleted")
