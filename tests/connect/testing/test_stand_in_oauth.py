"""OAuth: a business connects its own account, leaves, and comes back to what it had."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe as sdk
from stripe import oauth_error

from connect.testing import StandIn
from tests.connect.testing.browser import Page, visit

BACK = "http://shop.localhost/oauth/return?lang=de"


def consent(stripe: sdk.StripeClient, **params: Any) -> Page:
    given: Any = {"scope": "read_write", "state": "s-1&x=%", "redirect_uri": BACK, **params}
    return visit(stripe.oauth.authorize_url(given))


def code_of(page: Page) -> str:
    return parse_qs(urlsplit(page.target).query)["code"][0]


def connected(stripe: sdk.StripeClient, **form: str) -> Any:
    code = code_of(consent(stripe).submit(action="connect", **form))
    return stripe.oauth.token({"grant_type": "authorization_code", "code": code})


def test_consent_leads_back_with_a_code_and_the_state(stripe: sdk.StripeClient) -> None:
    page = consent(stripe)
    assert page.status == 200
    assert "This is not Stripe" in page.text
    assert page.unlabelled == []
    done = page.submit(action="connect", name="Ann's")
    assert done.status == 303
    assert done.target.startswith(BACK + "&")
    said = parse_qs(urlsplit(done.target).query)
    assert said["state"] == ["s-1&x=%"]
    assert said["scope"] == ["read_write"]
    assert said["code"][0].startswith("ac_")


def test_denying_leads_back_too(stripe: sdk.StripeClient) -> None:
    said = parse_qs(urlsplit(consent(stripe).submit(action="deny").target).query)
    assert said["error"] == ["access_denied"]
    assert said["state"] == ["s-1&x=%"]


def test_a_code_becomes_a_connected_account(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url, connect=True, events=["account.application.*"])
    token = connected(stripe, name="Ann's", country="GB")
    assert (token.token_type, token.scope, token.livemode) == ("bearer", "read_write", False)
    account: Any = stripe.v1.accounts.retrieve(token.stripe_user_id)
    assert (account.type, account.country, account.charges_enabled) == ("standard", "GB", True)
    assert account.controller.to_dict() == {"type": "account"}
    assert "external_accounts" not in account
    assert stand_in.flush()
    (event,) = receiver.events
    assert event["type"] == "account.application.authorized"
    assert event["account"] == account.id
    assert event["data"]["object"] == {
        "id": stand_in.client_id,
        "object": "application",
        "name": "Stand-in platform",
    }


def test_the_access_token_is_a_key_to_this_account_alone(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    token = connected(stripe)
    own = sdk.StripeClient(token.access_token, base_addresses={"api": stand_in.url})
    customer = own.v1.customers.create({"name": "Ann"})
    assert list(stand_in.state(token.stripe_user_id)["customer"]) == [customer.id]
    with pytest.raises(sdk.PermissionError):
        own.v1.customers.list(None, {"stripe_account": merchant})


def test_a_code_is_good_for_one_use_and_a_second_one_revokes(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    code = code_of(consent(stripe).submit(action="connect"))
    params: Any = {"grant_type": "authorization_code", "code": code}
    token: Any = stripe.oauth.token(params)
    with pytest.raises(oauth_error.InvalidGrantError, match="already been used"):
        stripe.oauth.token(params)
    own = sdk.StripeClient(token.access_token, base_addresses={"api": stand_in.url})
    with pytest.raises(sdk.PermissionError):
        own.v1.balance.retrieve()


def test_codes_expire_after_five_minutes(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    code = code_of(consent(stripe).submit(action="connect"))
    stand_in.advance(300)
    with pytest.raises(oauth_error.InvalidGrantError, match="expired"):
        stripe.oauth.token({"grant_type": "authorization_code", "code": code})


def test_refresh_tokens_give_new_access_tokens(stripe: sdk.StripeClient) -> None:
    token = connected(stripe)
    again: Any = stripe.oauth.token(
        {"grant_type": "refresh_token", "refresh_token": token.refresh_token}
    )
    assert again.stripe_user_id == token.stripe_user_id
    assert again.access_token != token.access_token
    with pytest.raises(oauth_error.InvalidGrantError, match="does not exist"):
        stripe.oauth.token({"grant_type": "refresh_token", "refresh_token": "rt_none"})


def test_deauthorising_ends_access_until_the_account_comes_back(
    stand_in: StandIn, stripe: sdk.StripeClient, receiver: Any
) -> None:
    token = connected(stripe, name="Ann's")
    id_ = token.stripe_user_id
    options: Any = {"stripe_account": id_}
    customer = stripe.v1.customers.create({"name": "Kim"}, options)
    stand_in.webhook_endpoint(receiver.url, connect=True)
    assert stripe.oauth.deauthorize({"stripe_user_id": id_}).stripe_user_id == id_
    assert stand_in.flush()
    (event,) = receiver.events
    assert (event["type"], event["account"]) == ("account.application.deauthorized", id_)
    assert event["data"]["object"]["object"] == "application"
    for refused in (
        lambda: stripe.v1.customers.retrieve(customer.id, None, options),
        lambda: stripe.v1.accounts.retrieve(id_),
        sdk.StripeClient(
            token.access_token, base_addresses={"api": stand_in.url}
        ).v1.balance.retrieve,
    ):
        with pytest.raises(sdk.PermissionError, match="may have been revoked") as error:
            refused()
        assert error.value.error.code == "account_invalid"  # type: ignore[union-attr]
    assert stripe.v1.accounts.list().data == []
    again = connected(stripe, account=id_)
    assert again.stripe_user_id == id_
    assert stripe.v1.customers.retrieve(customer.id, None, options).name == "Kim"
    assert [row.id for row in stripe.v1.accounts.list().data] == [id_]


def test_an_account_that_is_connected_may_consent_again(stripe: sdk.StripeClient) -> None:
    id_ = connected(stripe).stripe_user_id
    assert connected(stripe, account=id_).stripe_user_id == id_
    assert len(stripe.v1.accounts.list().data) == 1


def test_the_owner_may_leave_from_the_dashboard(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    stand_in.deauthorize(merchant)
    with pytest.raises(sdk.PermissionError):
        stripe.v1.balance.retrieve(None, {"stripe_account": merchant})


def test_deauthorising_what_is_not_connected_is_refused(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    for account, client in (("acct_none", None), (merchant, "ca_none")):
        params: Any = {"stripe_user_id": account} | ({"client_id": client} if client else {})
        with pytest.raises(oauth_error.InvalidClientError):
            stripe.oauth.deauthorize(params)
    custom = stripe.v1.accounts.create({"type": "custom"}).id
    with pytest.raises(oauth_error.InvalidRequestError):
        stripe.oauth.deauthorize({"stripe_user_id": custom})


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"grant_type": "authorization_code", "code": "ac_none"}, oauth_error.InvalidGrantError),
        ({"grant_type": "authorization_code"}, oauth_error.InvalidGrantError),
        ({"grant_type": "password"}, oauth_error.UnsupportedGrantTypeError),
        ({}, oauth_error.InvalidRequestError),
    ],
)
def test_requests_for_tokens_that_make_no_sense_are_refused(
    stripe: sdk.StripeClient, params: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        stripe.oauth.token(params)


def test_a_token_needs_the_platforms_key(stand_in: StandIn) -> None:
    client = sdk.StripeClient("sk_live_abcdefgh", base_addresses={"connect": stand_in.url})
    with pytest.raises(sdk.AuthenticationError):
        client.oauth.token({"grant_type": "authorization_code", "code": "ac_1"})


@pytest.mark.parametrize(
    "params",
    [
        {"client_id": "ca_none"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": ""},
        {"response_type": "token"},
        {"scope": "everything"},
    ],
)
def test_a_consent_that_cannot_be_asked_for_is_refused_on_the_spot(
    stripe: sdk.StripeClient, params: Any
) -> None:
    page = consent(stripe, **params)
    assert (page.status, page.target) == (400, "")


def test_nonsense_on_the_consent_page_is_refused_in_words(stripe: sdk.StripeClient) -> None:
    page = consent(stripe)
    assert page.submit(action="connect", country="XX").alert
    assert page.submit(action="connect", account="acct_none").alert
    evil = '"><script>alert(1)</script>'
    shown = consent(stripe, state=evil, stripe_user={"email": evil, "business_name": evil})
    assert "<script>" not in shown.text
    assert parse_qs(urlsplit(shown.submit(action="connect").target).query)["state"] == [evil]


def test_the_express_address_asks_the_same(stripe: sdk.StripeClient) -> None:
    url = stripe.oauth.authorize_url({"redirect_uri": BACK}, {"express": True})
    assert visit(url).submit(action="connect").target.startswith(BACK)
