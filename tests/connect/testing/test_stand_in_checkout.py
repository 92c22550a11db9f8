"""Checkout Sessions and the pages a browser is sent to."""

import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

ITEM: Any = {
    "price_data": {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Mug"}},
    "quantity": 2,
}


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def visit(url: str, **form: str) -> tuple[int, str, str]:
    """Open the page, or send its form. Returns status, text and where it redirects to."""
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.build_opener(Stay).open(url, data, timeout=10) as response:
            return response.status, response.read().decode(), ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers.get("Location", "")


def session(stripe: sdk.StripeClient, on: str | None = None, **params: Any) -> Any:
    given: Any = {
        "mode": "payment",
        "line_items": [ITEM],
        "success_url": "http://shop.localhost/thanks?session={CHECKOUT_SESSION_ID}",
        **params,
    }
    options: Any = {"stripe_account": on} if on else {}
    return stripe.v1.checkout.sessions.create(given, options)


def test_paying_on_the_page_completes_the_session(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    opened = session(stripe, on=merchant, payment_intent_data={"application_fee_amount": 100})
    assert (opened.status, opened.payment_status, opened.amount_total) == ("open", "unpaid", 1400)
    assert opened.payment_intent is None
    status, text, _ = visit(opened.url)
    assert status == 200
    assert "This is not Stripe" in text
    status, _, target = visit(
        opened.url, payment_method="pm_card_visa", email="ann@example.com", name="Ann"
    )
    assert (status, target) == (303, f"http://shop.localhost/thanks?session={opened.id}")
    options: Any = {"stripe_account": merchant}
    paid = stripe.v1.checkout.sessions.retrieve(opened.id, {"expand": ["payment_intent"]}, options)
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    assert paid.customer_details is not None
    assert paid.customer_details.email == "ann@example.com"
    assert paid.payment_intent.application_fee_amount == 100  # type: ignore[union-attr]
    event: Any = stripe.v1.events.list({"type": "checkout.session.completed"}, options).data[0]
    assert event.data.object.payment_status == "paid"
    assert event.account == merchant
    assert stand_in.funds()["usd"].total == 100
    assert visit(opened.url, payment_method="pm_card_visa")[0] == 410


def test_a_declined_card_leaves_the_session_open(stripe: sdk.StripeClient) -> None:
    opened = session(stripe)
    status, text, _ = visit(opened.url, payment_method="pm_card_chargeDeclined")
    assert status == 402
    assert "declined" in text
    assert stripe.v1.checkout.sessions.retrieve(opened.id).status == "open"
    assert visit(opened.url, payment_method="pm_card_mastercard")[0] == 303


def test_a_destination_session_pays_the_merchant(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    data = {"transfer_data": {"destination": merchant}, "application_fee_amount": 200}
    visit(session(stripe, payment_intent_data=data).url, payment_method="pm_card_visa")
    assert stand_in.funds(merchant)["usd"].total == 1200


def test_sessions_expire_by_request_and_by_the_clock(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    first, second = session(stripe), session(stripe)
    assert stripe.v1.checkout.sessions.expire(first.id).status == "expired"
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.checkout.sessions.expire(first.id)
    stand_in.advance(24 * 3600)
    assert stripe.v1.checkout.sessions.retrieve(second.id).status == "expired"
    types = [event.type for event in stripe.v1.events.list({"types": ["checkout.*"]}).data]
    assert types == ["checkout.session.expired"] * 2


def test_prices_products_coupons_and_customers(stripe: sdk.StripeClient) -> None:
    product = stripe.v1.products.create({"id": "mug", "name": "Mug"})
    price = stripe.v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 1000})
    coupon = stripe.v1.coupons.create({"percent_off": 25})
    opened = session(
        stripe,
        line_items=[{"price": price.id, "quantity": 2}],
        discounts=[{"coupon": coupon.id}],
        customer_creation="always",
    )
    assert (opened.amount_subtotal, opened.amount_total, opened.total_details.amount_discount) == (
        2000,
        1500,
        500,
    )
    items = stripe.v1.checkout.sessions.line_items.list(opened.id)
    assert (items.data[0].description, items.data[0].amount_total) == ("Mug", 2000)
    visit(opened.url, payment_method="pm_card_visa", email="ann@example.com")
    paid = stripe.v1.checkout.sessions.retrieve(opened.id, {"expand": ["customer"]})
    assert paid.customer.email == "ann@example.com"  # type: ignore[union-attr]


def test_nothing_to_pay_needs_no_payment(stripe: sdk.StripeClient) -> None:
    coupon = stripe.v1.coupons.create({"percent_off": 100})
    opened = session(stripe, discounts=[{"coupon": coupon.id}])
    assert visit(opened.url, payment_method="pm_card_visa")[0] == 303
    assert stripe.v1.checkout.sessions.retrieve(opened.id).payment_status == "no_payment_required"


def test_another_account_does_not_see_the_session(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    opened = session(stripe, on=merchant)
    with pytest.raises(sdk.InvalidRequestError, match=r"No such checkout\.session"):
        stripe.v1.checkout.sessions.retrieve(opened.id, None, {"stripe_account": other_merchant})


@pytest.mark.parametrize(
    "params",
    [
        {"line_items": []},
        {"line_items": [{"quantity": 1}]},
        {"line_items": [{"price": "price_unknown"}]},
        {"mode": "setup"},
        {"customer": "cus_unknown"},
        {"payment_intent_data": {"application_fee_amount": 1}},
        {"line_items": [ITEM, {**ITEM, "price_data": {**ITEM["price_data"], "currency": "eur"}}]},
    ],
)
def test_sessions_that_cannot_be_paid_are_refused(
    stand_in: StandIn, stripe: sdk.StripeClient, params: dict[str, Any]
) -> None:
    with pytest.raises(sdk.InvalidRequestError):
        session(stripe, **params)
    assert stand_in.state().get("event", {}) == {}


def test_text_from_a_request_is_escaped_on_the_page(stripe: sdk.StripeClient) -> None:
    opened = session(
        stripe, cancel_url='http://x"><script>alert(1)</script>', customer_email='"><b>@example.com'
    )
    assert "<script>" not in visit(opened.url)[1]
    assert "<b>" not in visit(opened.url)[1]


def test_unknown_pages_say_so_and_what_they_are(stand_in: StandIn) -> None:
    for path, status in (("/", 200), ("/nothing", 404), ("/c/pay/cs_test_unknown", 404)):
        answer = visit(stand_in.url + path)
        assert answer[0] == status
        assert "This is not Stripe" in answer[1]
