"""What the real SDK makes of pages and of keys: nothing twice, nothing missed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn


def test_a_thousand_objects_come_once_each_in_both_directions_while_others_appear(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    ids = [f"C{number:04}" for number in range(1000)]
    for id_ in ids:
        stripe.v1.coupons.create({"id": id_, "percent_off": 5}, options)
    down = []
    for coupon in stripe.v1.coupons.list({"limit": 100}, options).auto_paging_iter():
        down.append(coupon.id)
        if len(down) % 100 == 50:  # in the middle of a page, on every page
            stripe.v1.coupons.create({"percent_off": 5}, options)
            stripe.v1.coupons.create({"percent_off": 5})  # another account's
    assert down == ids[::-1]
    up: list[str] = []
    params: Any = {"limit": 100, "ending_before": ids[0]}
    for coupon in stripe.v1.coupons.list(params, options).auto_paging_iter():
        up.append(coupon.id)
        if len(up) == 500:
            stripe.v1.coupons.create({"id": "LAST", "percent_off": 5}, options)
    assert up[:999] == ids[1:]
    assert (len(up), up[-1]) == (1010, "LAST")
    assert len(stand_in.state(merchant)["coupon"]) == 1011


def test_an_object_deleted_meanwhile_breaks_no_page(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    ids = [stripe.v1.customers.create({}, options).id for _ in range(30)]
    seen = []
    for customer in stripe.v1.customers.list({"limit": 10}, options).auto_paging_iter():
        seen.append(customer.id)
        if len(seen) in {10, 20}:  # the very object that is the next page's cursor
            stripe.v1.customers.delete(customer.id, None, options)
    assert seen == ids[::-1]


def test_events_are_walked_from_a_known_one_to_the_newest(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    first = stripe.v1.customers.create({}, options).id
    known = stripe.v1.events.list({"limit": 1}, options).data[0].id
    ids = [stripe.v1.customers.create({}, options).id for _ in range(25)]
    params: Any = {"limit": 10, "ending_before": known}
    walked = stripe.v1.events.list(params, options).auto_paging_iter()
    assert [event.data.object["id"] for event in walked] == ids
    assert first not in ids


def test_one_key_makes_one_object_from_many_threads(stand_in: StandIn, merchant: str) -> None:
    """Those that come while the first is still running are told so, and succeed when they ask again."""
    client = stand_in.client(stripe_account=merchant, max_network_retries=5)

    def create(_: int) -> str:
        return client.v1.customers.create({"name": "Ann"}, {"idempotency_key": "K1"}).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(create, range(16)))) == 1
    assert len(stand_in.state(merchant)["customer"]) == 1


def test_a_replay_has_no_effect_and_no_event(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    intent: Any = {"amount": 1000, "currency": "usd", "payment_method": "pm_card_visa"}
    options: Any = {"idempotency_key": "order-1"}
    first = stripe.v1.payment_intents.create({**intent, "confirm": True}, options)
    before = stand_in.state()
    again: Any = stripe.v1.payment_intents.create({**intent, "confirm": True}, options)
    assert again.to_dict() == first.to_dict()
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert stand_in.state() == before


def test_a_replay_tells_what_was_though_it_has_changed(stripe: sdk.StripeClient) -> None:
    options: Any = {"idempotency_key": "K1"}
    customer = stripe.v1.customers.create({"name": "Ann"}, options)
    stripe.v1.customers.update(customer.id, {"name": "Anna"})
    assert stripe.v1.customers.create({"name": "Ann"}, options).name == "Ann"
    stripe.v1.customers.delete(customer.id)
    assert stripe.v1.customers.create({"name": "Ann"}, options).id == customer.id


def test_a_key_belongs_to_one_address(stripe: sdk.StripeClient) -> None:
    options: Any = {"idempotency_key": "K1"}
    customer = stripe.v1.customers.create({"name": "Ann"}, options)
    with pytest.raises(sdk.IdempotencyError, match="same parameters they were first used with"):
        stripe.v1.customers.update(customer.id, {"name": "Ann"}, options)
    with pytest.raises(sdk.IdempotencyError, match="other than 'K1'"):
        stripe.v1.products.create({"name": "Ann"}, options)


def test_the_platform_and_each_account_have_keys_of_their_own(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    made = {
        stripe.v1.customers.create({}, {"idempotency_key": "K1", **scope}).id  # type: ignore[typeddict-item]
        for scope in ({}, {"stripe_account": merchant}, {"stripe_account": other_merchant})
    }
    assert len(made) == 3


def test_what_was_asked_is_at_hand(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    stripe.v1.customers.create(
        {"name": "Ann"}, {"stripe_account": merchant, "idempotency_key": "K1"}
    )
    asked = stand_in.asked[-1]
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/customers", b"name=Ann")
    assert (asked.account, asked.status, asked.headers["Idempotency-Key"]) == (merchant, 200, "K1")
    assert stand_in.api_key not in repr(asked)
    stand_in.reset()
    assert stand_in.asked == []
