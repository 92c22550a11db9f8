"""Quotes: draft, then open, then accepted (which makes an invoice or a subscription) or canceled."""

from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import checkout_session, invoice_draft, subscription
from connect.testing.resources.invoice_lines import line
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

quote = Noun("quote", "/v1/quotes", "Quote")
DAY_SECONDS = 24 * 3600
AS_GIVEN = (
    "application_fee_amount",
    "application_fee_percent",
    "description",
    "footer",
    "header",
    "on_behalf_of",
    "transfer_data",
)
NOTHING = ("customer_account", "from_quote", "invoice", "number", "subscription")


@quote.create
def create(call: Call) -> StripeObject:
    params = call.params
    if params.get("customer"):
        call.get("customer", params["customer"], param="customer")
    rows = [checkout_session.line_item(call, item) for item in params.get("line_items") or []]
    obj: StripeObject = {
        "id": call.new_id("qt"),
        "object": "quote",
        **dict.fromkeys(NOTHING),
        **{name: params.get(name) for name in AS_GIVEN},
        **amounts(rows),
        "application": call.world.application if call.account else None,
        "automatic_tax": dict.fromkeys(("liability", "provider", "status")) | {"enabled": False},
        "collection_method": params.get("collection_method", "charge_automatically"),
        "created": call.now,
        "currency": rows[0]["currency"] if rows else None,
        "customer": params.get("customer"),
        "default_tax_rates": [],
        "discounts": [],
        "expires_at": params.get("expires_at", call.now + 30 * DAY_SECONDS),
        "invoice_settings": {"days_until_due": None, "issuer": {"type": "self"}},
        "livemode": False,
        "metadata": call.metadata(),
        "status": "draft",
        "status_transitions": dict.fromkeys(("accepted_at", "canceled_at", "finalized_at")),
        "subscription_data": {
            "billing_mode": {"type": "classic"},
            **dict.fromkeys(("description", "effective_date", "metadata", "trial_period_days")),
        },
        "subscription_schedule": None,
        "test_clock": None,
    }
    call.after(lambda: call.world.sessions.update({obj["id"]: rows}))
    return call.insert(obj, "quote.created")


def amounts(rows: list[StripeObject]) -> StripeObject:
    total = sum(row["amount_total"] for row in rows)
    details = {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}
    part = {"amount_subtotal": total, "amount_total": total, "total_details": details}
    every = [row["price"]["recurring"] for row in rows if row["price"]["recurring"]]
    repeated = {name: every[0][name] for name in ("interval", "interval_count")} if every else {}
    return {
        "amount_subtotal": total,
        "amount_total": total,
        "computed": {"recurring": part | repeated if every else None, "upfront": part},
        "total_details": details,
    }


def rows_of(call: Call, obj: StripeObject) -> list[StripeObject]:
    rows: list[StripeObject] = call.world.sessions[obj["id"]]
    return rows


@route("GET", quote.path + "/{id}/line_items", "QuoteListLineItemsParams")
def line_items(call: Call) -> StripeObject:
    obj = call.get("quote", call.path["id"])
    return lists.listing(f"{quote.path}/{obj['id']}/line_items", rows_of(call, obj))


@route("POST", quote.path + "/{id}/finalize", "QuoteFinalizeQuoteParams")
def finalize(call: Call) -> StripeObject:
    obj = needed(call, "draft", verb="finalized")
    if obj["customer"] is None:
        message = "A quote needs a customer before it can be finalized."
        raise errors.Refused(400, message, param="customer")
    number = f"QT-{call.world.ids.characters(8, '0123456789ABCDEF')}-0001"
    changes = {"number": number, "status": "open", **at(call, obj, "finalized_at")}
    return call.change(obj, changes, "quote.finalized")


@quote.action("accept")
def accept(call: Call) -> StripeObject:
    """Recurring prices become a subscription, the others a draft invoice."""
    obj = needed(call, "open", verb="accepted")
    customer, rows = call.get("customer", obj["customer"]), rows_of(call, obj)
    changes: StripeObject = {"status": "accepted", **at(call, obj, "accepted_at")}
    if any(row["price"]["recurring"] for row in rows):
        wanted = [{"price": r["price"]["id"], "quantity": r["quantity"]} for r in rows]
        params: dict[str, Any] = {name: obj[name] for name in ("on_behalf_of", "transfer_data")}
        params |= {"items": wanted, "application_fee_percent": obj["application_fee_percent"]}
        changes["subscription"] = subscription.start(call.with_params(), customer, params)["id"]
    else:
        draft = invoice_draft.build(call, customer, {**obj, "billing_reason": "quote_accept"})
        draft["currency"] = obj["currency"]
        made = invoice_draft.issue(
            call, draft, [line(call, shown(row), draft["id"]) for row in rows]
        )
        changes["invoice"] = made["id"]
    return call.change(obj, changes, "quote.accepted")


def shown(row: StripeObject) -> StripeObject:
    price = row["price"]
    return {
        "amount": row["amount_total"],
        "currency": row["currency"],
        "description": row["description"],
        "parent": None,
        "period": {"end": price["created"], "start": price["created"]},
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": row["quantity"],
    }


@quote.action("cancel")
def cancel(call: Call) -> StripeObject:
    obj = needed(call, "draft", "open", verb="canceled")
    return call.change(
        obj, {"status": "canceled", **at(call, obj, "canceled_at")}, "quote.canceled"
    )


def at(call: Call, obj: StripeObject, moment: str) -> StripeObject:
    return {"status_transitions": {**obj["status_transitions"], moment: call.now}}


def needed(call: Call, *statuses: str, verb: str) -> StripeObject:
    obj = call.get("quote", call.path["id"])
    if obj["status"] not in statuses:
        message = f"This quote cannot be {verb}: it is {obj['status']}."
        raise errors.Refused(400, message)
    return obj


quote.retrieve()
quote.list("customer", "status")
quote.update("description", "footer", "header", "expires_at")
