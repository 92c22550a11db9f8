"""Webhooks: to whom, how signed, and everything that goes wrong on the way."""

import time
from collections import Counter
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

FULL_SECRET = 38  # whsec_ and 32 characters


def verified(stripe: sdk.StripeClient, received: Any, secret: str) -> list[sdk.Event]:
    return [
        stripe.construct_event(body, headers["Stripe-Signature"], secret)
        for headers, body in received.requests
    ]


def test_the_secret_is_told_once(stripe: sdk.StripeClient, receiver: Any) -> None:
    endpoint = stripe.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    assert endpoint.secret is not None
    assert len(endpoint.secret) == FULL_SECRET
    assert "secret" not in stripe.v1.webhook_endpoints.retrieve(endpoint.id)
    assert "connect" not in endpoint


def test_each_scope_has_its_endpoint_and_its_secret(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any, merchant: str
) -> None:
    stand_in.flush()
    own = stand_in.webhook_endpoint(receiver.url + "platform/")
    connected = stand_in.webhook_endpoint(
        receiver.url + "connect/", connect=True, secret="whsec_given"
    )
    stripe.v1.customers.create()
    assert stand_in.flush()
    (event,) = verified(stripe, receiver, own["secret"])
    assert "account" not in event
    receiver.requests.clear()
    stripe.v1.customers.create({}, {"stripe_account": merchant})
    assert stand_in.flush()
    (event,) = verified(stripe, receiver, "whsec_given")
    assert event.account == merchant
    assert connected["secret"] == "whsec_given"
    with pytest.raises(sdk.SignatureVerificationError):
        verified(stripe, receiver, own["secret"])


def test_only_wanted_types_at_the_endpoints_version(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    version: Any = "2025-03-31.basil"
    stripe.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["coupon.created"], "api_version": version}
    )
    stripe.v1.customers.create()
    stripe.v1.coupons.create({"percent_off": 5})
    assert stand_in.flush()
    assert receiver.types == ["coupon.created"]
    assert receiver.events[0]["api_version"] == "2025-03-31.basil"
    assert receiver.events[0]["pending_webhooks"] == 1
    assert stripe.v1.events.list({"type": "coupon.created"}).data[0].pending_webhooks == 0


def test_events_arrive_in_order(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    made = [stripe.v1.customers.create().id for _ in range(50)]
    assert stand_in.wait_until_delivered()
    assert [event["data"]["object"]["id"] for event in receiver.events] == made


def test_two_signatures_while_a_secret_is_rolled(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    endpoint = stand_in.webhook_endpoint(receiver.url)
    new = stand_in.roll_secret(endpoint["id"])
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert receiver.requests[0][0]["Stripe-Signature"].count("v1=") == 2
    for secret in (endpoint["secret"], new):
        verified(stripe, receiver, secret)
    stand_in.roll_secret(endpoint["id"], keep_old=False)
    receiver.requests.clear()
    stripe.v1.customers.create()
    assert stand_in.flush()
    with pytest.raises(sdk.SignatureVerificationError):
        verified(stripe, receiver, new)


def test_failures_are_retried_with_a_fresh_signature(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url)
    receiver.answers += [500, 302]
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert [line.outcome for line in stand_in.deliveries] == ["failed", "failed", "delivered"]
    assert [line.attempt for line in stand_in.deliveries] == [1, 2, 3]
    assert len({event["id"] for event in receiver.events}) == 1


def test_after_four_failures_it_gives_up_and_the_event_stays_undelivered(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url)
    receiver.answers += [500] * 10
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert len(receiver.requests) == 4
    assert [
        e.pending_webhooks for e in stripe.v1.events.list({"delivery_success": False}).data
    ] == [1]
    receiver.answers.clear()
    event = stripe.v1.events.list().data[0]
    stand_in.redeliver(event.id)
    assert stand_in.flush()
    assert stand_in.deliveries[-1].outcome == "delivered"


def test_a_receiver_that_is_down_is_noted(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    stand_in.webhook_endpoint("http://127.0.0.1:9/nobody")
    stand_in.switch(retries=False)
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert stand_in.deliveries[0].status is None
    assert "refused" in (stand_in.deliveries[0].error or "").lower()


def test_nothing_leaves_this_machine(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    stand_in.switch(retries=False)
    for host in ("example.com", "127.0.0.1.example.com"):
        stand_in.webhook_endpoint(f"https://{host}/webhooks/")
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert {line.error for line in stand_in.deliveries} == {
        "refused: the stand-in delivers to this machine only"
    }


def test_duplicates(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    stand_in.switch(duplicate=2)
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert len(receiver.requests) == 3
    assert len({event["id"] for event in receiver.events}) == 1


def test_shuffled(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    stand_in.switch(shuffle=True, paused=True)
    made = [stripe.v1.customers.create().id for _ in range(20)]
    assert stand_in.flush()
    arrived = [event["data"]["object"]["id"] for event in receiver.events]
    assert arrived != made
    assert Counter(arrived) == Counter(made)


def test_delayed(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    stand_in.switch(delay_seconds=0.2)
    begun = time.monotonic()
    stripe.v1.customers.create()
    assert stand_in.wait_until_delivered()
    assert time.monotonic() - begun >= 0.2
    stand_in.switch(delay_seconds=600)
    stripe.v1.customers.create()
    assert not stand_in.wait_until_delivered(0.05)
    assert stand_in.flush()
    assert len(receiver.requests) == 2


def test_paused(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    stand_in.switch(paused=True)
    stripe.v1.customers.create()
    assert not stand_in.wait_until_delivered(0.05)
    stand_in.switch(paused=False)
    assert stand_in.wait_until_delivered()
    assert receiver.types == ["customer.created"]


def test_dropped(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    stand_in.switch(drop=1.0)
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert receiver.requests == []
    assert stand_in.deliveries[0].outcome == "dropped"
    assert stripe.v1.events.list({"delivery_success": False}).data != []


def test_all_in_one_second(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> None:
    stand_in.webhook_endpoint(receiver.url)
    stand_in.switch(same_second=True)
    for _ in range(3):
        stripe.v1.customers.create()
        stand_in.advance(10)
    assert stand_in.flush()
    assert len({event["created"] for event in receiver.events}) == 1


def test_wrong_secret_and_old_timestamp(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    endpoint = stand_in.webhook_endpoint(receiver.url)
    for switches, match in (
        ({"wrong_secret": True}, "No signatures"),
        ({"old_timestamp_seconds": 600}, "Timestamp"),
    ):
        receiver.requests.clear()
        stand_in.switch(wrong_secret=False, old_timestamp_seconds=0)
        stand_in.switch(**switches)
        stripe.v1.customers.create()
        assert stand_in.flush()
        with pytest.raises(sdk.SignatureVerificationError, match=match):
            verified(stripe, receiver, endpoint["secret"])


def test_the_stand_ins_clock_does_not_trip_the_receivers(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    endpoint = stand_in.webhook_endpoint(receiver.url)
    stand_in.clock.freeze(1_600_000_000)
    stripe.v1.customers.create()
    assert stand_in.flush()
    (event,) = verified(stripe, receiver, endpoint["secret"])
    assert event.created == 1_600_000_000


def test_endpoints_can_be_disabled_moved_and_deleted(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    endpoint = stand_in.webhook_endpoint(receiver.url + "old/")
    stripe.v1.webhook_endpoints.update(endpoint["id"], {"disabled": True})
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert receiver.requests == []
    moved: Any = {
        "disabled": False,
        "url": receiver.url + "new/",
        "enabled_events": ["coupon.created"],
    }
    assert stripe.v1.webhook_endpoints.update(endpoint["id"], moved).status == "enabled"
    stripe.v1.customers.create()
    stripe.v1.coupons.create({"percent_off": 5})
    assert stand_in.flush()
    assert receiver.types == ["coupon.created"]
    assert stripe.v1.webhook_endpoints.delete(endpoint["id"]).deleted
    assert stripe.v1.webhook_endpoints.list().data == []
    stripe.v1.coupons.create({"percent_off": 5})
    assert stand_in.flush()
    assert len(receiver.requests) == 1


def test_endpoints_must_be_addresses_and_few(stripe: sdk.StripeClient, receiver: Any) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.webhook_endpoints.create({"url": "example.com", "enabled_events": ["*"]})
    assert refused.value.code == "url_invalid"
    for _ in range(16):
        stripe.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
    with pytest.raises(sdk.InvalidRequestError, match="maximum of 16"):
        stripe.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})


def test_a_refused_request_sends_nothing(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url)
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.customers.create({"expand": ["nothing"]})
    assert stand_in.flush()
    assert receiver.requests == []
    assert stand_in.state().get("customer", {}) == {}
