"""Payment links: an address that makes a new Checkout Session each time it is opened."""

from typing import Any

from connect.testing import errors, lists, pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.resources import checkout_session
from connect.testing.routing import Noun, route
from connect.testing.store import PLATFORM, StripeObject

payment_link = Noun("payment_link", "/v1/payment_links", "PaymentLink")
AS_GIVEN = (
    "application_fee_amount",
    "application_fee_percent",
    "consent_collection",
    "inactive_message",
    "on_behalf_of",
    "payment_intent_data",
    "payment_method_options",
    "payment_method_types",
    "shipping_address_collection",
    "subscription_data",
    "transfer_data",
)
UPDATABLE = ("active", "allow_promotion_codes", "inactive_message", "customer_creation")


@payment_link.create
def create(call: Call) -> StripeObject:
    params, id_ = call.params, call.new_id("plink")
    items = [checkout_session.line_item(call, item) for item in params["line_items"]]
    if not items:
        raise errors.parameter_missing("line_items")
    key = call.world.ids.characters(18)
    obj: StripeObject = {
        "id": id_,
        "object": "payment_link",
        **{name: params.get(name) for name in AS_GIVEN},
        "active": True,
        "after_completion": params.get("after_completion")
        or {"hosted_confirmation": {"custom_message": None}, "type": "hosted_confirmation"},
        "allow_promotion_codes": params.get("allow_promotion_codes", False),
        "application": call.world.application if call.account else None,
        "automatic_tax": {"enabled": False, "liability": None},
        "billing_address_collection": params.get("billing_address_collection", "auto"),
        "currency": items[0]["currency"],
        "custom_fields": [],
        "custom_text": dict.fromkeys(
            ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")
        ),
        "customer_creation": params.get("customer_creation", "if_required"),
        "invoice_creation": {"enabled": False, "invoice_data": None},
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": call.metadata(),
        "payment_method_collection": params.get("payment_method_collection", "always"),
        "phone_number_collection": {"enabled": False},
        "restrictions": None,
        "shipping_options": [],
        "submit_type": params.get("submit_type", "auto"),
        "tax_id_collection": {"enabled": False, "required": "never"},
        "url": f"{call.base_url}/l/test_{key}",
    }
    opening: dict[str, Any] = {
        "line_items": [{"price": i["price"]["id"], "quantity": i["quantity"]} for i in items]
    }
    recurring = any(item["price"]["recurring"] for item in items)
    opening["mode"] = "subscription" if recurring else "payment"
    opening |= {"metadata": call.metadata(), **intent_data(params)}
    known = Link(call.account, id_, opening, items)
    call.after(lambda: call.world.links.update({f"test_{key}": {"payment_link": known}}))
    return call.insert(obj, "payment_link.created")


class Link:
    """What opening the address leads to."""

    def __init__(
        self, account: str, id_: str, opening: dict[str, Any], items: list[StripeObject]
    ) -> None:
        self.account = account
        self.id = id_
        self.opening = opening
        self.items = items


def intent_data(params: dict[str, Any]) -> dict[str, Any]:
    names = ("application_fee_amount", "on_behalf_of", "transfer_data")
    data = {**(params.get("payment_intent_data") or {})}
    data |= {name: params[name] for name in names if params.get(name) is not None}
    return {"payment_intent_data": data} if data else {}


@pages.page("/l/{key}")
def visit(call: Call, names: dict[str, str], _: str) -> Answer:
    link = (call.world.links.get(names["key"]) or {}).get("payment_link")
    if link is None:
        return pages.html("Not found", "<p>There is no such payment link.</p>", 404)
    call = call.on(link.account or PLATFORM)
    if not call.get("payment_link", link.id)["active"]:
        return pages.html("Payment link", "<p>This link is no longer active.</p>", 410)
    with call.world.transaction():
        session = checkout_session.create(call.with_params(**link.opening))
        session = call.change(session, {"payment_link": link.id})
    return pages.redirect(session["url"])


@route("GET", payment_link.path + "/{id}/line_items", "PaymentLinkListLineItemsParams")
def line_items(call: Call) -> StripeObject:
    id_ = call.get("payment_link", call.path["id"])["id"]
    known = [found.get("payment_link") for found in call.world.links.values()]
    items = next(link.items for link in known if link is not None and link.id == id_)
    return lists.listing(f"{payment_link.path}/{id_}/line_items", items)


payment_link.retrieve()
payment_link.list("active")
payment_link.update(*UPDATABLE, event="payment_link.updated")
