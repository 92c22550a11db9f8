"""Events: one for each change, in the scope it belongs to, saying what was before."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
import stripe as sdk

import connect.testing
from connect.testing import StandIn

Pay = Callable[..., Any]


def types(stripe: sdk.StripeClient, account: str | None = None) -> list[str]:
    options: Any = {"stripe_account": account} if account else {}
    events = stripe.v1.events.list({"limit": 100}, options).auto_paging_iter()
    return [str(event.type) for event in events][::-1]


def test_a_payment_tells_its_story(stripe: sdk.StripeClient, pay: Pay) -> None:
    pay()
    assert types(stripe) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]


def test_charge_updated_says_that_the_balance_transaction_arrived(
    stripe: sdk.StripeClient, pay: Pay
) -> None:
    charge = pay().latest_charge
    event: Any = stripe.v1.events.list({"type": "charge.updated"}).data[0]
    assert event.data.object.balance_transaction == charge.balance_transaction.id
    assert event.data.previous_attributes.balance_transaction is None
    born: Any = stripe.v1.events.list({"type": "charge.succeeded"}).data[0]
    assert born.data.object.balance_transaction is None


def test_each_account_hears_its_own_part(stripe: sdk.StripeClient, pay: Pay, merchant: str) -> None:
    pay(application_fee_amount=100, transfer_data={"destination": merchant})
    assert types(stripe)[2:] == [
        "payment_intent.succeeded",
        "transfer.created",
        "application_fee.created",
        "charge.updated",
    ]
    assert types(stripe, merchant)[-1] == "payment.created"


def test_only_connected_accounts_are_named_in_the_envelope(
    stripe: sdk.StripeClient, pay: Pay, merchant: str, other_merchant: str
) -> None:
    pay(on=merchant)
    own = stripe.v1.events.list(None, {"stripe_account": merchant}).data[0]
    assert (own.account, own.context) == (merchant, merchant)
    stripe.v1.customers.create()
    platforms = stripe.v1.events.list().data[0]
    assert "account" not in platforms
    assert "context" not in platforms
    with pytest.raises(sdk.InvalidRequestError, match="No such event"):
        stripe.v1.events.retrieve(own.id, None, {"stripe_account": other_merchant})


def test_an_event_names_the_request_and_its_key(stripe: sdk.StripeClient) -> None:
    customer = stripe.v1.customers.create({}, {"idempotency_key": "order-1"})
    event: Any = stripe.v1.events.list({"type": "customer.created"}).data[0]
    assert event.request.idempotency_key == "order-1"
    assert event.request.id == customer.last_response.request_id  # type: ignore[union-attr]
    assert event.api_version == sdk.api_version
    assert event.livemode is False


def test_what_happens_by_itself_names_no_request(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    pay(on=merchant, card="bypassPending")
    stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options)
    stand_in.advance(3 * 24 * 3600)
    event: Any = stripe.v1.events.list({"type": "payout.paid"}, options).data[0]
    assert event.request.id is None


def test_updated_events_say_what_was_before(stripe: sdk.StripeClient) -> None:
    customer = stripe.v1.customers.create({"name": "Ann", "metadata": {"a": "1"}})
    stripe.v1.customers.update(customer.id, {"name": "Bob", "metadata": {"b": "2"}})
    event: Any = stripe.v1.events.list({"type": "customer.updated"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"name": "Ann", "metadata": {"b": None}}


def test_an_update_that_changes_nothing_is_no_event(stripe: sdk.StripeClient) -> None:
    customer = stripe.v1.customers.create({"name": "Ann"})
    stripe.v1.customers.update(customer.id, {"name": "Ann"})
    assert types(stripe) == ["customer.created"]


def test_a_refund_event_carries_previous_attributes_as_stripes_does(
    stripe: sdk.StripeClient, pay: Pay
) -> None:
    stripe.v1.refunds.create({"payment_intent": pay().id, "amount": 300})
    event: Any = stripe.v1.events.list({"type": "charge.refunded"}).data[0]
    assert event.data.previous_attributes.to_dict() == {"amount_refunded": 0}
    created: Any = stripe.v1.events.list({"type": "refund.created"}).data[0]
    assert "previous_attributes" not in created.data


def test_a_deletion_carries_the_full_object(stripe: sdk.StripeClient) -> None:
    customer = stripe.v1.customers.create({"name": "Ann"})
    stripe.v1.customers.delete(customer.id)
    event: Any = stripe.v1.events.list({"type": "customer.deleted"}).data[0]
    assert event.data.object.name == "Ann"
    assert "deleted" not in event.data.object


def test_events_are_filtered_by_types_and_kept_thirty_days(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    coupon = stripe.v1.coupons.create({"percent_off": 5})
    stripe.v1.coupons.update(coupon.id, {"name": "Five"})
    stripe.v1.customers.create()
    assert [e.type for e in stripe.v1.events.list({"types": ["coupon.*"]}).data] == [
        "coupon.updated",
        "coupon.created",
    ]
    event = stripe.v1.events.list({"type": "coupon.created"}).data[0]
    stand_in.advance(31 * 24 * 3600)
    assert stripe.v1.events.list().data == []
    with pytest.raises(sdk.InvalidRequestError, match="No such event"):
        stripe.v1.events.retrieve(event.id)


def test_the_event_factory_and_its_signature_satisfy_the_sdk(stripe: sdk.StripeClient) -> None:
    payload = connect.testing.event(
        "charge.updated", {"id": "ch_1", "object": "charge"}, account="acct_1", created=5
    )
    header = connect.testing.sign(payload, "whsec_test")
    event = stripe.construct_event(payload, header, "whsec_test")
    assert (event.type, event.account, event.created) == ("charge.updated", "acct_1", 5)
    assert "account" not in orjson.loads(connect.testing.event("x.y", {"id": "1", "object": "x"}))
    with pytest.raises(sdk.SignatureVerificationError):
        stripe.construct_event(payload, header, "whsec_other")
    old = connect.testing.sign(payload, "whsec_test", timestamp=1_000_000)
    with pytest.raises(sdk.SignatureVerificationError):
        stripe.construct_event(payload, old, "whsec_test")


def test_an_event_nobody_caused_can_be_sent(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    stand_in.emit("person.updated", {"id": "person_1", "object": "person"}, account=merchant)
    assert types(stripe, merchant)[-1] == "person.updated"
