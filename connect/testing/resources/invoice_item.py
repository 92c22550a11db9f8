"""Invoice items: what the customer's next invoice will have on it."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import price
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

invoice_item = Noun("invoiceitem", "/v1/invoiceitems", "InvoiceItem")


@invoice_item.create
def create(call: Call) -> StripeObject:
    params = call.params
    if "customer" not in params:
        raise errors.parameter_missing("customer")
    customer = call.get("customer", params["customer"], param="customer")["id"]
    if params.get("invoice"):
        draft = call.get("invoice", params["invoice"], param="invoice")
        if draft["status"] != "draft" or draft["customer"] != customer:
            message = f"Invoice {draft['id']} is no draft of this customer; it takes no more items."
            raise errors.Refused(400, message, param="invoice")
    quantity = params.get("quantity", 1)
    code, unit_amount, pricing = priced(call)
    amount = params["amount"] if params.get("amount") is not None else unit_amount * quantity
    obj: StripeObject = {
        "id": call.new_id("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": code,
        "customer": customer,
        "customer_account": None,
        "date": call.now,
        "description": params.get("description"),
        "discountable": params.get("discountable", True),
        "discounts": [],
        "invoice": params.get("invoice"),
        "livemode": False,
        "metadata": call.metadata(),
        "net_amount": amount,
        "parent": None,
        "period": params.get("period") or {"end": call.now, "start": call.now},
        "pricing": pricing,
        "proration": False,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
        "test_clock": None,
    }
    return call.insert(obj, "invoiceitem.created")


def priced(call: Call) -> tuple[str, int, StripeObject]:
    """The item's currency, the amount of one in minor units, and how the item shows them."""
    params = call.params
    named = (params.get("pricing") or {}).get("price")
    if named or params.get("price_data"):
        found = of_price(call, named, params.get("price_data"))
        return found["currency"], found["unit_amount"] or 0, details(found)
    if params.get("currency") is None:
        raise errors.parameter_missing("currency")
    amount = params.get("amount")
    return (
        price.currency(params["currency"]),
        amount or 0,
        {
            "price_details": None,
            "type": "price_details",
            "unit_amount_decimal": None if amount is None else str(amount),
        },
    )


def of_price(call: Call, named: str | None, data: dict[str, Any] | None) -> StripeObject:
    """The price that is named, or one made for the occasion."""
    if named:
        return call.get("price", named, param="price")
    data = dict(data or {})
    if "product_data" in data:
        data["product"] = price.inline_product(call, data.pop("product_data"))["id"]
    call.get("product", data.get("product", ""), param="price_data[product]")
    return call.insert({**price.build(call, data), "metadata": {}}, "price.created")


def details(found: StripeObject) -> StripeObject:
    return {
        "price_details": {"price": found["id"], "product": found["product"]},
        "type": "price_details",
        "unit_amount_decimal": found["unit_amount_decimal"],
    }


@invoice_item.delete_with
def delete(call: Call) -> StripeObject:
    obj = call.get("invoiceitem", call.path["id"])
    invoiced = call.find("invoice", obj["invoice"] or "")
    if invoiced is not None and invoiced["status"] != "draft":
        message = f"Invoice item {obj['id']} stands on an invoice that is {invoiced['status']}."
        raise errors.Refused(400, message)
    return call.delete(obj, "invoiceitem.deleted")


invoice_item.retrieve()
invoice_item.list("customer", "invoice")
invoice_item.update("description", "discountable", "period")
