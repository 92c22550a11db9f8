"""Faults by rule, and what the real SDK makes of them."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from connect.testing.faults import KINDS

INTENT: Any = {
    "amount": 1000,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": True,
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits half a second before it retries."""
    monkeypatch.setattr(sdk.HTTPClient, "INITIAL_DELAY", 0.01)


@pytest.fixture
def retrying(stand_in: StandIn) -> sdk.StripeClient:
    """A client as the module's own: two retries."""
    return stand_in.client(max_network_retries=2)


def customers(stand_in: StandIn, account: str = "") -> int:
    return len(stand_in.state(account).get("customer", {}))


@pytest.mark.parametrize(
    "kind", ["lock_timeout", "conflict", "unavailable", "timeout_before_commit"]
)
def test_the_sdk_retries_and_one_object_comes_of_it(
    stand_in: StandIn, retrying: sdk.StripeClient, kind: str
) -> None:
    stand_in.fault(kind, path="/v1/customers", times=2)
    retrying.v1.customers.create({"name": "Ann"})
    assert customers(stand_in) == 1
    assert [rule.hits for rule in stand_in.faults] == [2]


def test_after_a_timeout_after_commit_the_retry_replays_the_one_object(
    stand_in: StandIn, retrying: sdk.StripeClient
) -> None:
    stand_in.fault("timeout_after_commit", method="POST")
    customer = retrying.v1.customers.create({"name": "Ann"})
    assert list(stand_in.state()["customer"]) == [customer.id]
    assert customer.last_response is not None
    assert customer.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(stand_in.state()["event"]) == 1


def test_without_retries_a_timeout_after_commit_leaves_an_object_nobody_knows_of(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    stand_in.fault("timeout_after_commit")
    with pytest.raises(sdk.APIConnectionError):
        stripe.v1.customers.create({"name": "Ann"}, {"max_network_retries": 0})
    assert customers(stand_in) == 1


def test_a_payment_is_made_once_whatever_the_network_does(
    stand_in: StandIn, retrying: sdk.StripeClient, merchant: str
) -> None:
    stand_in.fault("timeout_after_commit", path="/v1/payment_intents", account=merchant)
    stand_in.fault("lock_timeout", path="/v1/payment_intents", account=merchant)
    intent = retrying.v1.payment_intents.create(INTENT, {"stripe_account": merchant})
    assert list(stand_in.state(merchant)["charge"]) == [intent.latest_charge]
    assert stand_in.funds(merchant)["usd"].total == 1000 - 59


@pytest.mark.parametrize(
    ("kind", "error", "status", "code"),
    [
        ("rate_limit", sdk.RateLimitError, 429, "rate_limit"),
        ("too_many_requests", sdk.RateLimitError, 429, "rate_limit"),
        ("api_error", sdk.APIError, 500, None),
        ("unauthorized", sdk.AuthenticationError, 401, None),
        ("card_declined", sdk.CardError, 402, "card_declined"),
        ("account_invalid", sdk.PermissionError, 403, "account_invalid"),
    ],
)
def test_what_the_sdk_does_not_retry(
    stand_in: StandIn,
    retrying: sdk.StripeClient,
    kind: str,
    error: type[sdk.StripeError],
    status: int,
    code: str | None,
) -> None:
    stand_in.fault(kind)
    with pytest.raises(error) as refused:
        retrying.v1.customers.create({"name": "Ann"})
    assert refused.value.http_status == status
    assert getattr(refused.value.error, "code", None) == code
    assert customers(stand_in) == 0
    assert [rule.hits for rule in stand_in.faults] == [1]
    retrying.v1.customers.create({"name": "Ann"})


def test_a_rate_limit_says_which_limit_it_is(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    reasons = []
    for kind in ("rate_limit", "too_many_requests", "lock_timeout"):
        stand_in.fault(kind)
        with pytest.raises(sdk.RateLimitError) as refused:
            stripe.v1.balance.retrieve({}, {"max_network_retries": 0})
        headers: Any = refused.value.headers
        reasons.append(
            (headers.get("Stripe-Rate-Limited-Reason"), headers.get("Stripe-Should-Retry"))
        )
    assert reasons == [("endpoint-rate", None), (None, None), (None, "true")]


def test_a_500_is_kept_under_its_key(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    stand_in.fault("api_error")
    for _ in range(2):
        with pytest.raises(sdk.APIError):
            stripe.v1.customers.create({"name": "Ann"}, {"idempotency_key": "K1"})
    assert stripe.v1.customers.create({"name": "Ann"}, {"idempotency_key": "K2"}).id


def test_rules_name_method_path_and_account(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    stand_in.fault("unavailable", method="GET", path="/v1/c*", account=merchant, times=None)
    stripe.v1.customers.create({}, {"stripe_account": merchant})
    stripe.v1.balance.retrieve({}, {"stripe_account": merchant})
    stripe.v1.customers.list({}, {"stripe_account": other_merchant})
    stripe.v1.customers.list()
    for _ in range(3):
        with pytest.raises(sdk.APIError):
            stripe.v1.customers.list({}, {"stripe_account": merchant, "max_network_retries": 0})
    stand_in.clear_faults()
    stripe.v1.customers.list({}, {"stripe_account": merchant})


def test_a_rule_may_let_some_pass_first(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    for _ in range(250):
        stripe.v1.customers.create()
    stand_in.fault("account_invalid", method="GET", after=2)
    pages = stripe.v1.customers.list({"limit": 100}).auto_paging_iter()
    assert len({next(pages).id for _ in range(200)}) == 200
    with pytest.raises(sdk.PermissionError):
        next(pages)


def door(stand_in: StandIn, method: str, told: Any = None) -> Any:
    body = None if told is None else json.dumps(told).encode()
    request = urllib.request.Request(f"{stand_in.url}/_stand_in/faults", body, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        return json.load(answer)


def test_faults_have_a_door(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    added = door(stand_in, "POST", {"kind": "unauthorized", "path": "/v1/balance"})
    assert added[0]["times"] == 1
    with pytest.raises(sdk.AuthenticationError):
        stripe.v1.balance.retrieve()
    assert door(stand_in, "GET")[0]["hits"] == 1
    assert door(stand_in, "DELETE") == []


@pytest.mark.parametrize("told", [{"kind": "nope"}, {"nope": 1}, {}, [1], "text", 1])
def test_a_rule_that_makes_no_sense_is_refused(stand_in: StandIn, told: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        door(stand_in, "POST", told)
    assert refused.value.code == 400
    refused.value.close()


@pytest.mark.parametrize(
    "rule", [{"times": "many"}, {"path": ["x"]}, {"account": 5}, {"after": None}, {"method": {}}]
)
def test_a_rule_of_wrong_types_is_refused(stand_in: StandIn, rule: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        door(stand_in, "POST", {"kind": "unavailable", **rule})
    assert refused.value.code == 400
    refused.value.close()


def test_reset_forgets_the_rules(stand_in: StandIn) -> None:
    for kind in KINDS:
        stand_in.fault(kind, times=None)
    stand_in.reset()
    assert stand_in.faults == []
