"""Thin events and the destinations they go to: named, signed, fetched and understood by the real SDK."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import stripe as sdk

from connect.testing import StandIn, thin

Pay = Callable[..., Any]


@pytest.fixture
def heard(stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any) -> Any:
    """A thin destination for both scopes. Returns what arrived there, verified and parsed by the SDK."""
    secret = stand_in.event_destination(receiver.url)["webhook_endpoint"]["signing_secret"]

    def heard() -> list[Any]:
        assert stand_in.flush()
        return [
            stripe.parse_event_notification(body, headers["Stripe-Signature"], secret)
            for headers, body in receiver.requests
        ]

    return heard


def test_a_change_in_an_account_has_a_thin_twin_of_its_snapshot(
    stripe: sdk.StripeClient, merchant: str, heard: Any
) -> None:
    options: Any = {"stripe_account": merchant}
    customer = stripe.v1.customers.create({"name": "Ann"}, options)
    (notification,) = heard()
    assert type(notification).__name__ == "V1CustomerCreatedEventNotification"
    assert str(notification.context) == merchant
    assert notification.created.endswith("Z")
    event = notification.fetch_event()
    snapshot = stripe.v1.events.list({"type": "customer.created"}, options).data[0]
    assert (event.id, event.snapshot_event) == (notification.id, snapshot.id)
    assert event.related_object.to_dict() == {
        "id": customer.id,
        "type": "customer",
        "url": f"/v1/customers/{customer.id}",
    }
    assert notification.fetch_related_object().name == "Ann"
    assert event.fetch_related_object().name == "Ann"
    assert event.reason.request.id == customer.last_response.request_id  # type: ignore[union-attr]


def test_the_platforms_own_events_have_no_context(stripe: sdk.StripeClient, heard: Any) -> None:
    stripe.v1.customers.create({"name": "Ann"})
    (notification,) = heard()
    assert notification.context is None
    assert notification.fetch_related_object().name == "Ann"


def test_what_is_pushed_is_small_and_has_no_version(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any, heard: Any
) -> None:
    stripe.v1.customers.create()
    heard()
    (_, body) = receiver.requests[0]
    assert orjson.loads(body).keys() == {
        "id",
        "object",
        "context",
        "created",
        "livemode",
        "reason",
        "related_object",
        "type",
    }


def test_every_kind_of_payment_event_leads_to_its_object(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str, heard: Any
) -> None:
    pay(
        card="bypassPending",
        application_fee_amount=100,
        transfer_data={"destination": merchant},
    )
    charge = pay(on=merchant, application_fee_amount=10, card="bypassPending").latest_charge
    stripe.v1.refunds.create(
        {"charge": charge.id, "refund_application_fee": True}, {"stripe_account": merchant}
    )
    stripe.v1.payouts.create({"amount": 100, "currency": "usd"}, {"stripe_account": merchant})
    found = set()
    for notification in heard():
        related = getattr(notification, "related_object", None)
        if related is not None:
            obj = notification.fetch_related_object()
            assert getattr(related, "id", None) == getattr(obj, "id", None)
            assert obj.object == related.type
            found.add(related.type)
    assert found >= {"application_fee", "charge", "payment_intent", "payout", "refund", "transfer"}


def test_onboarding_is_told_in_both_versions(
    stand_in: StandIn, stripe: sdk.StripeClient, heard: Any
) -> None:
    wanted: Any = {"card_payments": {"requested": True}}
    account = stripe.v1.accounts.create({"type": "express", "capabilities": wanted}).id
    stand_in.onboard(account)
    of_platform: dict[str, Any] = {}
    of_account: dict[str, Any] = {}
    for notification in heard():
        mine = of_platform if notification.context is None else of_account
        mine[notification.type] = notification
    assert of_platform.keys() >= {
        "v2.core.account.created",
        "v2.core.account[configuration.merchant].capability_status_updated",
        "v2.core.account[defaults].updated",
        "v2.core.account[identity].updated",
        "v2.core.account[requirements].updated",
        "v2.core.account_person.created",
    }
    assert of_account.keys() == {
        "v1.account.external_account.created",
        "v1.account.updated",
        "v1.capability.updated",
        "v1.person.created",
    }
    assert of_account["v1.capability.updated"].fetch_related_object().status == "active"
    assert of_account["v1.person.created"].fetch_related_object().account == account
    assert of_account["v1.account.updated"].fetch_related_object().id == account
    changed = of_platform["v2.core.account[configuration.merchant].capability_status_updated"]
    assert changed.fetch_event().data.updated_capability in {
        "card_payments",
        "stripe_balance.payouts",
    }
    assert changed.fetch_related_object().id == account
    person = of_platform["v2.core.account_person.created"]
    assert person.fetch_event().data.account_id == account
    assert person.fetch_related_object().surname == "Rosen"


def test_the_sdks_own_handler_takes_them(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any, merchant: str
) -> None:
    destination = stand_in.event_destination(receiver.url, events=["v1.customer.*"])
    secret = destination["webhook_endpoint"]["signing_secret"]
    names = []
    handler = stripe.notification_handler(secret, lambda *_: None)

    @handler.on_v1_customer_created
    def created(notification: Any, client: sdk.StripeClient) -> None:
        id_ = notification.related_object.id
        names.append(client.v1.customers.retrieve(id_).name)

    stripe.v1.customers.create({"name": "Ann"}, {"stripe_account": merchant})
    assert stand_in.flush()
    headers, body = receiver.requests[0]
    handler.handle(body, headers["Stripe-Signature"])
    assert names == ["Ann"]


def test_a_twin_exists_exactly_where_stripe_has_one() -> None:
    assert thin.relation("v1.customer.created") == "object"
    assert thin.relation("v1.balance.available") == "singleton"
    assert thin.relation("v1.account.application.deauthorized") == "none"
    assert thin.relation("v1.customer.source.created") is None
    assert thin.relation("v1.reporting.report_run.failed") is None
    assert thin.related("v1.balance.available", {"object": "balance"}, "") == {
        "type": "balance",
        "url": "/v1/balance",
    }


def test_a_deletion_leads_to_the_stub(stripe: sdk.StripeClient, heard: Any) -> None:
    customer = stripe.v1.customers.create()
    stripe.v1.customers.delete(customer.id)
    deleted = heard()[-1]
    assert deleted.type == "v1.customer.deleted"
    assert deleted.fetch_related_object().deleted


def test_scopes_payloads_and_choices_decide_what_a_destination_hears(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any, merchant: str
) -> None:
    for path, settings in (
        ("self", {"events_from": ["@self"]}),
        ("accounts", {"events_from": ["@accounts"]}),
        ("chosen", {"events": ["v1.coupon.created"]}),
        ("bracket", {"events": ["v2.core.account[identity].updated"]}),
        ("snapshot", {"thin": False, "events_from": ["@accounts"]}),
    ):
        stand_in.event_destination(f"http://localhost:9/{path}", **settings)
    by_id = {endpoint.id: endpoint.url.rpartition("/")[2] for endpoint in stand_in.endpoints}
    stand_in.switch(retries=False)
    stripe.v1.customers.create({}, {"stripe_account": merchant})
    stripe.v1.coupons.create({"percent_off": 5})
    stripe.v2.core.accounts.update(merchant, {"identity": {"entity_type": "company"}})
    stand_in.flush()
    log = {(by_id[line.endpoint], line.type) for line in stand_in.deliveries}
    assert ("self", "v1.coupon.created") in log
    assert ("self", "v1.customer.created") not in log
    assert ("self", "v2.core.account[identity].updated") in log
    assert ("accounts", "v1.customer.created") in log
    assert {type_ for path, type_ in log if path == "chosen"} == {"v1.coupon.created"}
    assert {type_ for path, type_ in log if path == "bracket"} == {
        "v2.core.account[identity].updated"
    }
    assert ("snapshot", "customer.created") in log
    assert not any(type_.startswith("v") for path, type_ in log if path == "snapshot")


def test_events_are_listed_and_kept_thirty_days(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    options: Any = {"stripe_context": merchant}
    before = thin.iso(stand_in.clock.now())
    customer = stripe.v1.customers.create({}, options)
    stripe.v1.customers.update(customer.id, {"name": "Ann"}, options)
    params: Any = {"types": ["v1.customer.*"], "created": {"gte": before}, "limit": 1}
    events = list(stripe.v2.core.events.list(params, options).auto_paging_iter())
    assert [event.type for event in events] == ["v1.customer.updated", "v1.customer.created"]
    found = stripe.v2.core.events.list({"object_id": customer.id}, options).data
    assert len(found) == 2
    assert stripe.v2.core.events.list({"types": ["v1.customer.created"]}).data == []
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v2.core.events.list({"created": {"gt": "yesterday"}}, options)
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v2.core.events.retrieve(events[0].id)
    stand_in.advance(31 * 24 * 3600)
    assert stripe.v2.core.events.list(None, options).data == []
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v2.core.events.retrieve(events[0].id, None, options)


def destination(stripe: sdk.StripeClient, url: str, **changes: Any) -> Any:
    params: Any = {
        "name": "Mine",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": ["v1.customer.created"],
        "webhook_endpoint": {"url": url},
        **changes,
    }
    return stripe.v2.core.event_destinations.create(params)


def test_the_secret_is_told_to_who_asks_and_once(stripe: sdk.StripeClient, receiver: Any) -> None:
    include = ["webhook_endpoint.signing_secret", "webhook_endpoint.url"]
    told = destination(stripe, receiver.url, include=include)
    assert told.webhook_endpoint.signing_secret.startswith("whsec_")
    assert told.webhook_endpoint.url == receiver.url
    assert told.events_from == ["@self"]
    silent = destination(stripe, receiver.url)
    assert silent.webhook_endpoint.signing_secret is None
    assert silent.webhook_endpoint.url is None
    again: Any = stripe.v2.core.event_destinations.retrieve(
        told.id, {"include": ["webhook_endpoint.url"]}
    )
    assert again.webhook_endpoint.to_dict() == {"signing_secret": None, "url": receiver.url}


def test_destinations_are_changed_disabled_pinged_and_deleted(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    service = stripe.v2.core.event_destinations
    made = destination(stripe, receiver.url, metadata={"a": "1"})
    ping: Any = service.ping(made.id)
    assert stand_in.flush()
    assert receiver.events[0]["id"] == ping.id
    assert receiver.types == ["v2.core.event_destination.ping"]
    assert ping.fetch_related_object().id == made.id
    disabled: Any = service.disable(made.id)
    assert disabled.status_details.disabled.reason == "user"
    stripe.v1.customers.create()
    assert stand_in.flush()
    assert len(receiver.requests) == 1
    assert service.enable(made.id).status == "enabled"
    changes: Any = {
        "enabled_events": ["v1.coupon.created"],
        "name": "Other",
        "metadata": {"a": None, "b": "2"},
        "webhook_endpoint": {"url": receiver.url + "moved/"},
    }
    changed: Any = service.update(made.id, changes)
    assert (changed.name, changed.metadata.to_dict()) == ("Other", {"b": "2"})
    stripe.v1.coupons.create({"percent_off": 5})
    assert stand_in.flush()
    assert receiver.types[1:] == ["v1.coupon.created"]
    assert [row.id for row in service.list().data] == [made.id]
    assert service.delete(made.id).id == made.id
    assert service.list().data == []


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "amazon_eventbridge"},
        {"webhook_endpoint": None},
        {"webhook_endpoint": {"url": "shop.example"}},
        {"events_from": ["@everyone"]},
        {"snapshot_api_version": "2026-10-28.endive"},
        {"event_payload": "thick"},
        {"enabled_events": []},
        {"name": None},
        {"include": ["everything"]},
    ],
)
def test_destinations_that_make_no_sense_are_refused(
    stripe: sdk.StripeClient, receiver: Any, changes: Any
) -> None:
    with pytest.raises(sdk.InvalidRequestError):
        destination(stripe, receiver.url, **changes)


def test_there_may_be_sixteen_destinations(stripe: sdk.StripeClient, receiver: Any) -> None:
    for _ in range(16):
        destination(stripe, receiver.url)
    with pytest.raises(sdk.InvalidRequestError, match="maximum of 16"):
        destination(stripe, receiver.url)


def test_a_thin_event_is_sent_again_when_asked(
    stand_in: StandIn, stripe: sdk.StripeClient, heard: Any
) -> None:
    stripe.v1.customers.create()
    (first,) = heard()
    stand_in.redeliver(first.id)
    assert [event.id for event in heard()] == [first.id] * 2
