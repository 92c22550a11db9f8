"""A price, who buys for it, and what is invoiced."""

from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

DAY = 24 * 3600
JANUARY_31 = 1_706_659_200


@pytest.fixture
def price(stripe: sdk.StripeClient) -> str:
    """20.00 USD a month, on the platform."""
    return monthly(stripe)


def monthly(stripe: sdk.StripeClient, amount: int = 2000, **options: Any) -> str:
    recurring: Any = {"interval": "month"}
    product: Any = {"name": "Tea club"}
    params: Any = {"currency": "usd", "unit_amount": amount, "product_data": product}
    return stripe.v1.prices.create({**params, "recurring": recurring}, options or None).id  # type: ignore[arg-type]


def buyer(stripe: sdk.StripeClient, card: str = "visa", **params: Any) -> str:
    customer: Any = {"name": "Ann", "email": "ann@example.com", **params}
    if card:
        customer["payment_method"] = f"pm_card_{card}"
        customer["invoice_settings"] = {"default_payment_method": f"pm_card_{card}"}
    return stripe.v1.customers.create(customer).id


def types(stand_in: StandIn, account: str = "") -> list[str]:
    return [event["type"] for event in stand_in.state(account).get("event", {}).values()]


def invoiced(stripe: sdk.StripeClient, customer: str, amount: int = 5000, **params: Any) -> Any:
    stripe.v1.invoice_items.create({"customer": customer, "amount": amount, "currency": "usd"})
    wanted: Any = {"customer": customer, "pending_invoice_items_behavior": "include", **params}
    return stripe.v1.invoices.create(wanted)
