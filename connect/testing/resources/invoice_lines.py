"""The lines of an invoice, and what they come to."""

from typing import Any

from connect.testing.call import Call
from connect.testing.resources import discount
from connect.testing.store import StripeObject


def line(call: Call, fields: dict[str, Any], invoice: str) -> StripeObject:
    """One line; `fields` has at least amount, currency, description, parent, period, pricing and quantity."""
    return {
        "id": call.new_id("il"),
        "object": "line_item",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice,
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity_decimal": str(fields["quantity"]),
        "subscription": None,
        "subtotal": fields["amount"],
        "taxes": [],
        **fields,
    }


def line_of_item(call: Call, item: StripeObject, invoice: str) -> StripeObject:
    taken = ("amount", "currency", "description", "discountable", "metadata", "period", "pricing")
    nothing = {"proration": False, "proration_details": None, "subscription": None}
    details = {"invoice_item": item["id"], **nothing}
    parent = {
        "invoice_item_details": details,
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }
    fields = {name: item[name] for name in (*taken, "quantity")}
    return line(call, {**fields, "parent": parent}, invoice)


def line_of_subscription(owner: StripeObject, item: StripeObject, name: str) -> StripeObject:
    """What one item of a subscription costs in the period it is in now."""
    price, quantity = item["price"], item.get("quantity", 1)
    trial = owner["status"] == "trialing"
    unit_amount = 0 if trial else price["unit_amount"] or 0
    details = {
        "invoice_item": None,
        "proration": False,
        "proration_details": None,
        "subscription": owner["id"],
        "subscription_item": item["id"],
    }
    every = f"{unit_amount} {price['currency']} / {price['recurring']['interval']}"
    return {
        "amount": unit_amount * quantity,
        "currency": price["currency"],
        "description": f"Trial period for {name}" if trial else f"{quantity} x {name} (at {every})",
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": details,
            "type": "subscription_item_details",
        },
        "period": {"end": item["current_period_end"], "start": item["current_period_start"]},
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": str(unit_amount),
        },
        "quantity": quantity,
        "subscription": owner["id"],
    }


def total_of(
    call: Call,
    rows: list[StripeObject],
    discounts: list[StripeObject],
    rates: list[StripeObject],
) -> StripeObject:
    """Subtotal, discounts, taxes, total, in minor units. Taxes that are included are shown and add nothing."""
    subtotal = sum(row["amount"] for row in rows)
    reduced = discount.off(call, discounts, subtotal) if subtotal > 0 else 0
    shared = [{"amount": reduced, "discount": discounts[0]["id"]}] if reduced else []
    taxable = subtotal - reduced
    taxes = [tax(rate, taxable) for rate in rates]
    added = sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")
    included = sum(tax["amount"] for tax in taxes) - added
    return {
        "amount_due": max(0, taxable + added),
        "amount_remaining": max(0, taxable + added),
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - included,
        "total": taxable + added,
        "total_discount_amounts": shared,
        "total_excluding_tax": taxable - included,
        "total_pretax_credit_amounts": [],
        "total_taxes": taxes,
    }


def tax(rate: StripeObject, taxable: int) -> StripeObject:
    percent, inclusive = rate["percentage"], rate["inclusive"]
    amount = taxable * percent / (100 + percent) if inclusive else taxable * percent / 100
    return {
        "amount": round(amount),
        "tax_behavior": "inclusive" if inclusive else "exclusive",
        "tax_rate_details": {"tax_rate": rate["id"]},
        "taxability_reason": "standard_rated",
        "taxable_amount": taxable - round(amount) if inclusive else taxable,
        "type": "tax_rate_details",
    }
