"""Drafts of invoices: what stands on them when they come into being, by hand or by a subscription."""

from typing import Any

from connect.testing import lists
from connect.testing.call import Call
from connect.testing.resources import discount
from connect.testing.resources.invoice_lines import line, line_of_item, total_of
from connect.testing.store import StripeObject

PATH = "/v1/invoices"
DAY_SECONDS = 24 * 3600
AS_GIVEN = (
    "application_fee_amount",
    "custom_fields",
    "default_payment_method",
    "default_source",
    "description",
    "footer",
    "on_behalf_of",
    "rendering",
    "shipping_details",
    "statement_descriptor",
    "transfer_data",
)
NOTHING = (
    "account_name",
    "account_tax_ids",
    "automatically_finalizes_at",
    "confirmation_secret",
    "customer_account",
    "due_date",
    "effective_at",
    "ending_balance",
    "from_invoice",
    "hosted_invoice_url",
    "invoice_pdf",
    "last_finalization_error",
    "latest_revision",
    "next_payment_attempt",
    "number",
    "parent",
    "receipt_number",
    "shipping_cost",
    "test_clock",
    "webhooks_delivered_at",
)
ZERO = (
    "amount_overpaid",
    "amount_paid",
    "amount_paid_off_stripe",
    "amount_shipping",
    "attempt_count",
    "post_payment_credit_notes_amount",
    "pre_payment_credit_notes_amount",
    "starting_balance",
)


def build(call: Call, customer: StripeObject, params: dict[str, Any]) -> StripeObject:
    """An empty draft, not stored yet."""
    own = call.world.store.find("", "account", call.account)
    id_ = call.new_id("in")
    return {
        "id": id_,
        "object": "invoice",
        **dict.fromkeys(NOTHING),
        **dict.fromkeys(ZERO, 0),
        **{name: params.get(name) for name in AS_GIVEN},
        "account_country": own["country"] if own else "US",
        "application": call.world.application if call.account else None,
        "attempted": False,
        "auto_advance": params.get("auto_advance", False),
        "automatic_tax": dict.fromkeys(("disabled_reason", "liability", "provider", "status"))
        | {"enabled": False},
        "billing_reason": params.get("billing_reason", "manual"),
        "collection_method": params.get("collection_method", "charge_automatically"),
        "created": call.now,
        "currency": params.get("currency") or (own["default_currency"] if own else "usd"),
        "customer": customer["id"],
        **{f"customer_{name}": customer[name] for name in ("address", "email", "name", "phone")},
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_tax_rates": rates(call, params.get("default_tax_rates")),
        "discounts": [d["id"] for d in discounts(call, customer, params, id_)],
        "due_date": due_date(call, params),
        "issuer": {"type": "self"},
        "livemode": False,
        "metadata": call.metadata() if "object" not in params else {},
        "payment_settings": dict.fromkeys(
            ("default_mandate", "payment_method_options", "payment_method_types")
        ),
        "period_end": call.now,
        "period_start": call.now,
        "status": "draft",
        "status_transitions": dict.fromkeys(
            ("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")
        ),
    }


def rates(call: Call, ids: list[str] | None) -> list[StripeObject]:
    return [call.get("tax_rate", id_, param="default_tax_rates") for id_ in ids or []]


def discounts(
    call: Call, customer: StripeObject, params: dict[str, Any], id_: str
) -> list[StripeObject]:
    """The invoice's own, or else the customer's."""
    if params.get("discounts"):
        return discount.redeem(call, params["discounts"], customer=customer["id"], invoice=id_)
    return [call.insert(customer["discount"])] if customer["discount"] else []


def due_date(call: Call, params: dict[str, Any]) -> int | None:
    if params.get("due_date"):
        return int(params["due_date"])
    days = params.get("days_until_due")
    return None if days is None else call.now + days * DAY_SECONDS


def issue(call: Call, draft: StripeObject, rows: list[StripeObject]) -> StripeObject:
    """Store the draft with these lines."""
    for row in rows:
        call.insert(row)
    return call.insert(with_totals(call, draft, rows), "invoice.created")


def with_totals(call: Call, draft: StripeObject, rows: list[StripeObject]) -> StripeObject:
    reduced = [call.get("discount", id_) for id_ in draft["discounts"]]
    url = f"{PATH}/{draft['id']}/lines"
    embedded = lists.listing(url, rows[: lists.LIMIT_DEFAULT], has_more=len(rows) > 10)
    listed = {**embedded, "total_count": len(rows)}
    return {**draft, "lines": listed, **total_of(call, rows, reduced, draft["default_tax_rates"])}


def pending(call: Call, draft: StripeObject) -> list[StripeObject]:
    """The customer's items that are on no invoice yet, oldest first; they are now."""
    waiting = [
        item
        for item in call.world.store.oldest_first(call.account, "invoiceitem")
        if item["customer"] == draft["customer"] and item["invoice"] is None
    ]
    draft["currency"] = waiting[0]["currency"] if waiting else draft["currency"]
    taken = [item for item in waiting if item["currency"] == draft["currency"]]
    return [call.change(item, {"invoice": draft["id"]}) for item in taken]


def of_subscription(
    call: Call, owner: StripeObject, rows: list[StripeObject], reason: str
) -> StripeObject:
    """A draft for one period of a subscription, with what else was waiting for the customer's next invoice."""
    customer = call.get("customer", owner["customer"])
    names = ("collection_method", "currency", "default_payment_method", "on_behalf_of")
    params = {name: owner[name] for name in (*names, "days_until_due")}
    rates_ = [rate["id"] for rate in owner["default_tax_rates"]]
    reduced = [{"discount": id_} for id_ in owner["discounts"]]
    params |= {"auto_advance": True, "billing_reason": reason, "object": "invoice"}
    draft = build(call, customer, {**params, "default_tax_rates": rates_, "discounts": reduced})
    parent = {"metadata": owner["metadata"], "subscription": owner["id"]}
    draft["parent"] = {
        "quote_details": None,
        "subscription_details": parent,
        "type": "subscription_details",
    }
    of_period = [line(call, row, draft["id"]) for row in rows]
    items = [line_of_item(call, item, draft["id"]) for item in pending_of(call, draft)]
    draft = with_totals(call, draft, [*of_period, *items])
    draft |= connect_share(owner, draft["total"])
    return issue(call, draft, [*of_period, *items])


def pending_of(call: Call, draft: StripeObject) -> list[StripeObject]:
    currency = draft["currency"]
    taken = pending(call, draft)
    draft["currency"] = currency
    return [item for item in taken if item["currency"] == currency]


def connect_share(owner: StripeObject, total: int) -> StripeObject:
    """A subscription says in per cent what the platform keeps, or what goes to the merchant."""
    percent, data = owner["application_fee_percent"], owner["transfer_data"]
    share: StripeObject = {}
    if percent is not None and total > 0:
        share["application_fee_amount"] = round(total * percent / 100)
    if data and total > 0:
        part = data.get("amount_percent")
        amount = None if part is None else round(total * part / 100)
        share["transfer_data"] = {"amount": amount, "destination": data["destination"]}
    return share
