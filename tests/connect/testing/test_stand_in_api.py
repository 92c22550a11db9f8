"""How the stand-in answers: keys, accounts, parameters, lists, idempotency."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import stripe as sdk

from connect.testing import StandIn

GET_CUSTOMERS = "/v1/customers"


def send(stand_in: StandIn, method: str, path: str, body: bytes = b"", **headers: str) -> Any:
    """A request by hand, for what the SDK would not send. Returns status, headers, JSON."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(stand_in.url.rpartition(":")[2]), timeout=10
    )
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Authorization": f"Bearer {stand_in.api_key}", **names})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, response.headers, orjson.loads(text) if text.startswith(b"{") else text


def error_of(answer: Any) -> dict[str, Any]:
    return dict(answer[2]["error"])


def test_a_request_without_a_key_is_refused(stand_in: StandIn) -> None:
    status, _, body = send(stand_in, "GET", GET_CUSTOMERS, Authorization="")
    assert status == 401
    assert body["error"]["message"].startswith("You did not provide an API key.")


@pytest.mark.parametrize(
    "key", ["sk_live_0123456789abcdef", "rk_live_0123456789abcdef", "pk_live_abcdef0123"]
)
def test_live_keys_are_refused_and_not_repeated(stand_in: StandIn, key: str) -> None:
    status, _, body = send(stand_in, "GET", GET_CUSTOMERS, Authorization=f"Bearer {key}")
    assert status == 401
    assert "not Stripe" in body["error"]["message"]
    assert key[-4:] not in orjson.dumps(body).decode()


def test_nonsense_is_not_a_key(stand_in: StandIn) -> None:
    with pytest.raises(
        sdk.AuthenticationError, match=r"Invalid API Key provided: sk_prod_\*\*\*wxyz"
    ):
        sdk.StripeClient(
            "sk_prod_abcdefwxyz", base_addresses={"api": stand_in.url}
        ).v1.balance.retrieve()


def test_restricted_test_keys_and_basic_authentication_are_keys_too(stand_in: StandIn) -> None:
    assert send(stand_in, "GET", GET_CUSTOMERS, Authorization="Bearer rk_test_abcdef")[0] == 200
    assert (
        send(stand_in, "GET", GET_CUSTOMERS, Authorization="Basic c2tfdGVzdF9hYmNkZWY6")[0] == 200
    )


def test_every_answer_has_an_id_a_date_and_says_that_it_is_not_stripe(stand_in: StandIn) -> None:
    stand_in.clock.freeze(1_700_000_000)
    _, headers, _ = send(stand_in, "GET", GET_CUSTOMERS)
    assert headers["Request-Id"].startswith("req_")
    assert headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert "not Stripe" in headers["Stand-In"]


def test_the_account_is_echoed(stand_in: StandIn, merchant: str) -> None:
    assert send(stand_in, "GET", GET_CUSTOMERS)[1]["Stripe-Account"] is None
    assert (
        send(stand_in, "GET", GET_CUSTOMERS, Stripe_Account=merchant)[1]["Stripe-Account"]
        == merchant
    )
    assert send(stand_in, "GET", f"/v1/accounts/{merchant}")[1]["Stripe-Account"] == merchant


def test_the_version_is_checked_and_echoed(stand_in: StandIn) -> None:
    assert (
        send(stand_in, "GET", GET_CUSTOMERS, Stripe_Version="2024-06-20")[1]["Stripe-Version"]
        == "2024-06-20"
    )
    answer = send(stand_in, "GET", GET_CUSTOMERS, Stripe_Version="not-a-real-version")
    assert answer[0] == 400
    assert error_of(answer)["message"] == "Invalid Stripe API version: not-a-real-version"


def test_an_unknown_account_is_a_403(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    with pytest.raises(sdk.PermissionError) as refused:
        stripe.v1.customers.list(options={"stripe_account": "acct_fake_account"})
    error: Any = refused.value.error
    assert error.code == "account_invalid"
    assert error.message == (
        "The provided key 'sk_test_***ndin' does not have access to account 'acct_fake_account' (or that account "
        "does not exist). Application access may have been revoked."
    )
    with pytest.raises(sdk.PermissionError):
        stripe.v1.accounts.retrieve("acct_fake_account")


def test_stripe_context_names_the_account_too_but_not_both(
    stand_in: StandIn, merchant: str
) -> None:
    assert (
        send(stand_in, "GET", GET_CUSTOMERS, Stripe_Context=merchant)[1]["Stripe-Account"]
        == merchant
    )
    both = send(stand_in, "GET", GET_CUSTOMERS, Stripe_Context=merchant, Stripe_Account=merchant)
    assert both[0] == 400


def test_another_accounts_object_is_missing(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    customer = stripe.v1.customers.create({}, {"stripe_account": merchant})
    for options in ({"stripe_account": other_merchant}, {}):
        with pytest.raises(sdk.InvalidRequestError) as refused:
            stripe.v1.customers.retrieve(customer.id, None, options)  # type: ignore[arg-type]
        assert refused.value.http_status == 404
        assert (refused.value.code, refused.value.param) == ("resource_missing", "id")
        assert refused.value.user_message == f"No such customer: '{customer.id}'"


def test_two_accounts_may_have_the_same_id(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    for account, percent in ((merchant, 10), (other_merchant, 20)):
        stripe.v1.coupons.create(
            {"id": "SAME", "percent_off": percent}, {"stripe_account": account}
        )
    assert stripe.v1.coupons.retrieve("SAME", None, {"stripe_account": merchant}).percent_off == 10
    assert (
        stripe.v1.coupons.retrieve("SAME", None, {"stripe_account": other_merchant}).percent_off
        == 20
    )
    with pytest.raises(sdk.InvalidRequestError, match="No such coupon"):
        stripe.v1.coupons.retrieve("SAME")
    with pytest.raises(sdk.InvalidRequestError, match="already exists"):
        stripe.v1.coupons.create({"id": "SAME", "percent_off": 5}, {"stripe_account": merchant})


def test_a_connected_account_sees_itself_and_no_other(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    assert stripe.v1.accounts.retrieve_current(None, {"stripe_account": merchant}).id == merchant
    assert stripe.v1.accounts.retrieve(merchant, None, {"stripe_account": merchant}).id == merchant
    assert stripe.v1.accounts.list(None, {"stripe_account": merchant}).data == []
    options: Any = {"stripe_account": merchant}
    with pytest.raises(sdk.PermissionError):
        stripe.v1.accounts.retrieve(other_merchant, None, options)
    with pytest.raises(sdk.PermissionError):
        stripe.v1.accounts.update(other_merchant, {"email": "x@example.com"}, options)
    with pytest.raises(sdk.PermissionError):
        stripe.v1.accounts.delete(other_merchant, None, options)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"nope=1", "parameter_unknown", "nope"),
        (b"invoice_settings[nope]=1", "parameter_unknown", "invoice_settings[nope]"),
        (b"balance=abc", "parameter_invalid_integer", "balance"),
        (b"name[a]=b", None, "name"),
        (b"tax_exempt=maybe", None, "tax_exempt"),
        (b"metadata=text", None, "metadata"),
        (b"name=a&name[b]=c", None, "name"),
        (b"name=%ff", None, None),
        (b"a[" * 400, "parameter_unknown", None),
        (b"metadata" + b"[a]" * 50 + b"=1", None, None),
    ],
)
def test_parameters_are_refused_as_stripe_refuses_them(
    stand_in: StandIn, body: bytes, code: str | None, param: str | None
) -> None:
    answer = send(stand_in, "POST", "/v1/customers", body)
    assert answer[0] == 400
    assert error_of(answer)["type"] == "invalid_request_error"
    assert error_of(answer).get("code") == code
    assert param is None or error_of(answer)["param"] == param


def test_a_missing_parameter_is_named(stand_in: StandIn) -> None:
    answer = send(stand_in, "POST", "/v1/payment_intents", b"amount=100")
    assert error_of(answer)["message"] == "Missing required param: currency."
    assert error_of(answer)["code"] == "parameter_missing"


def test_unknown_addresses_are_404s(stand_in: StandIn) -> None:
    status, _, body = send(stand_in, "GET", "/v1/nothing_here")
    assert status == 404
    assert body["error"]["message"].startswith("Unrecognized request URL (GET: /v1/nothing_here).")
    assert send(stand_in, "DELETE", "/v1/balance")[0] == 404


def test_other_hosts_are_refused(stand_in: StandIn) -> None:
    assert send(stand_in, "GET", GET_CUSTOMERS, Host="evil.example")[0] == 403
    assert send(stand_in, "GET", "/_stand_in/state", Origin="http://evil.example")[0] == 403


def test_lists_are_newest_first_and_limits_are_silently_bounded(stripe: sdk.StripeClient) -> None:
    ids = [stripe.v1.customers.create().id for _ in range(12)][::-1]
    assert [c.id for c in stripe.v1.customers.list().data] == ids[:10]
    assert [c.id for c in stripe.v1.customers.list({"limit": 0}).data] == ids[:1]
    assert len(stripe.v1.customers.list({"limit": 101}).data) == 12
    page = stripe.v1.customers.list({"limit": 3, "ending_before": ids[6]})
    assert [c.id for c in page.data] == ids[3:6]
    assert page.has_more


def test_cursors_must_be_known_and_single(stripe: sdk.StripeClient) -> None:
    one = stripe.v1.customers.create().id
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.customers.list({"starting_after": "cus_unknown"})
    assert (refused.value.code, refused.value.param) == ("resource_missing", "starting_after")
    assert refused.value.http_status == 400
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.customers.list({"starting_after": one, "ending_before": one})
    with pytest.raises(sdk.InvalidRequestError, match="Invalid integer: abc"):
        stripe.v1.customers.list({"limit": "abc"})  # type: ignore[arg-type]


def test_a_deleted_object_is_a_stub_and_still_a_cursor(stripe: sdk.StripeClient) -> None:
    ids = [stripe.v1.customers.create().id for _ in range(3)]
    stripe.v1.customers.delete(ids[1])
    assert stripe.v1.customers.retrieve(ids[1]).to_dict() == {
        "id": ids[1],
        "object": "customer",
        "deleted": True,
    }
    assert [c.id for c in stripe.v1.customers.list().data] == [ids[2], ids[0]]
    assert [c.id for c in stripe.v1.customers.list({"starting_after": ids[1]}).data] == [ids[0]]


def test_created_windows(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    ids = []
    for second in (100, 200, 300):
        stand_in.clock.freeze(1_700_000_000 + second)
        ids.append(stripe.v1.customers.create().id)
    window = stripe.v1.customers.list({"created": {"gte": 1_700_000_200, "lt": 1_700_000_300}})
    assert [c.id for c in window.data] == [ids[1]]
    assert [c.id for c in stripe.v1.customers.list({"created": 1_700_000_300}).data] == [ids[2]]


def test_auto_paging_finds_everything_once_while_new_objects_appear(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    for number in range(1000):
        stripe.v1.coupons.create({"id": f"C{number}", "percent_off": 5}, options)
    seen = []
    for coupon in stripe.v1.coupons.list({"limit": 100}, options).auto_paging_iter():
        seen.append(coupon.id)
        if len(seen) % 250 == 0:
            stripe.v1.coupons.create({"percent_off": 5}, options)
    assert seen == [f"C{number}" for number in reversed(range(1000))]


def test_expansion_stays_in_the_account(stripe: sdk.StripeClient, pay: Any, merchant: str) -> None:
    charge = pay(on=merchant, application_fee_amount=100).latest_charge
    assert charge.balance_transaction.net == 1000 - 59 - 100
    shown = stripe.v1.charges.retrieve(
        charge.id, {"expand": ["application_fee"]}, {"stripe_account": merchant}
    )
    assert isinstance(shown.application_fee, str)  # the fee is the platform's
    with pytest.raises(sdk.InvalidRequestError, match="cannot be expanded"):
        stripe.v1.charges.retrieve(charge.id, {"expand": ["nothing"]}, {"stripe_account": merchant})
    listed = stripe.v1.charges.list(
        {"expand": ["data.payment_intent"]}, {"stripe_account": merchant}
    )
    assert listed.data[0].payment_intent.status == "succeeded"  # type: ignore[union-attr]


def test_a_repeated_key_replays_the_answer(stand_in: StandIn) -> None:
    first = send(stand_in, "POST", "/v1/customers", b"name=Ann", Idempotency_Key="K1")
    again = send(stand_in, "POST", "/v1/customers", b"name=Ann", Idempotency_Key="K1")
    assert again[2] == first[2]
    assert again[1]["Idempotent-Replayed"] == "true"
    assert again[1]["Original-Request"] == first[1]["Request-Id"]
    assert again[1]["Request-Id"] != first[1]["Request-Id"]
    other = send(stand_in, "POST", "/v1/customers", b"name=Bob", Idempotency_Key="K1")
    assert other[0] == 400
    assert error_of(other) == {
        "message": "Keys for idempotent requests can only be used with the same parameters they were first used with. "
        "Try using a key other than 'K1' if you meant to execute a different request.",
        "type": "idempotency_error",
    }


def test_keys_are_forgotten_after_a_day_and_belong_to_an_account(
    stand_in: StandIn, merchant: str
) -> None:
    first = send(stand_in, "POST", "/v1/customers", b"", Idempotency_Key="K1")[2]
    assert (
        send(stand_in, "POST", "/v1/customers", b"", Idempotency_Key="K1", Stripe_Account=merchant)[
            2
        ]
        != first
    )
    stand_in.advance(24 * 3600)
    assert send(stand_in, "POST", "/v1/customers", b"", Idempotency_Key="K1")[2] != first


def test_a_refused_request_does_not_use_up_its_key(stand_in: StandIn) -> None:
    assert send(stand_in, "POST", "/v1/customers", b"balance=x", Idempotency_Key="K1")[0] == 400
    assert send(stand_in, "POST", "/v1/customers", b"balance=5", Idempotency_Key="K1")[0] == 200


def test_a_declined_card_is_replayed(stand_in: StandIn) -> None:
    body = b"amount=1000&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined"
    first = send(stand_in, "POST", "/v1/payment_intents", body, Idempotency_Key="K1")
    again = send(stand_in, "POST", "/v1/payment_intents", body, Idempotency_Key="K1")
    assert first[0] == again[0] == 402
    assert first[2] == again[2]


def test_a_key_in_flight_is_a_409(stand_in: StandIn) -> None:
    with ThreadPoolExecutor(2) as pool:
        with stand_in.world.lock:  # holds up whatever comes
            stand_in.world.idempotency.begin("", "K1", "the first request", 0)
        refused = pool.submit(
            send, stand_in, "POST", "/v1/customers", b"", Idempotency_Key="K1"
        ).result()
    assert refused[0] == 409
    assert error_of(refused)["code"] == "idempotency_key_in_use"


def test_parallel_requests_all_succeed(stripe: sdk.StripeClient, merchant: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(
                lambda _: stripe.v1.customers.create({}, {"stripe_account": merchant}).id,
                range(100),
            )
        )
    assert len(set(made)) == 100
    assert (
        len(list(stripe.v1.customers.list({"limit": 100}, {"stripe_account": merchant}).data))
        == 100
    )


def test_metadata_merges_and_empty_values_unset(stripe: sdk.StripeClient) -> None:
    customer: Any = stripe.v1.customers.create({"metadata": {"a": "1", "b": "2"}, "name": "Ann"})
    changed: Any = stripe.v1.customers.update(
        customer.id, {"metadata": {"b": "", "c": "3"}, "name": ""}
    )
    assert changed.metadata.to_dict() == {"a": "1", "c": "3"}
    assert changed.name is None
    cleared: Any = stripe.v1.customers.update(customer.id, {"metadata": ""})
    assert cleared.metadata.to_dict() == {}


def test_the_same_seed_gives_the_same_ids() -> None:
    ids = []
    for _ in range(2):
        with StandIn(seed=7) as stand_in:
            ids.append((stand_in.platform_account, stand_in.client().v1.customers.create().id))
    assert ids[0] == ids[1]
