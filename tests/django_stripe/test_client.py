"""The way to Stripe: keys by mode, an account in every call, and nothing secret in what is logged."""

import pytest
import stripe
from django.core.exceptions import ImproperlyConfigured

import connect
from connect.testing import StandIn
from django_stripe.client import client_for, describe, options
from django_stripe.customer.models import Customer
from django_stripe.platform import PLATFORM, NoAccount, account_key


@pytest.fixture
def stand_in(settings):
    with StandIn() as stand_in:
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stand_in.url, stand_in.api_key
        yield stand_in


@pytest.mark.parametrize("nothing", [None, "", 0, object(), []])
def test_without_an_account_there_are_no_options(nothing):
    with pytest.raises(NoAccount, match="PLATFORM"):
        options(nothing)


def test_an_account_is_an_id_a_row_or_the_platform():
    class Tenant:
        connect_account_id = "acct_T"

    class NotYet:
        connect_account_id = ""

    with pytest.raises(NoAccount):
        options(NotYet())
    assert options(Customer(stripe_id="cus_1")) == {}, (
        "a row of the mirror knows that it is the platform's"
    )
    assert options("acct_A") == {"stripe_account": "acct_A"}
    assert options(Tenant()) == {"stripe_account": "acct_T"}
    assert options(PLATFORM) == {}
    assert (account_key(PLATFORM), repr(PLATFORM)) == ("", "PLATFORM")


def test_calls_of_a_bound_client_run_in_its_account(stand_in):
    account = stand_in.client().v1.accounts.create({"type": "standard"}).id
    made = connect.client(account=account).v1.customers.create({})
    assert connect.client(account=account).v1.customers.retrieve(made.id).id == made.id
    with pytest.raises(stripe.InvalidRequestError):
        connect.client(account=PLATFORM).v1.customers.retrieve(made.id)
    with connect.account(account):
        assert [c.id for c in connect.client().v1.customers.list().auto_paging_iter()] == [made.id]


def test_outside_of_any_context_there_is_no_client(stand_in):
    with pytest.raises(NoAccount, match=r"with connect\.account"):
        connect.client()


@pytest.mark.parametrize("method", ["list", "create"])
def test_an_account_among_the_parameters_is_refused_before_it_is_sent(stand_in, method):
    call = getattr(connect.client(account=PLATFORM).v1.customers, method)
    with pytest.raises(TypeError, match="among the parameters"):
        call({"stripe_account": "acct_A"})
    with pytest.raises(TypeError, match="among the parameters"):
        call({"email": "a@example.com", "stripe_account": "acct_A"})


def test_a_value_that_mentions_it_is_fine(stand_in):
    made = connect.client(account=PLATFORM).v1.customers.create({"name": "&stripe_account=acct_A"})
    assert made.name == "&stripe_account=acct_A"


@pytest.mark.parametrize(
    ("keys", "livemode"),
    [
        ("", False),
        ("sk_test_x", True),
        ("sk_live_x", False),
        ("pk_test_x", False),
        ({"live": "sk_test_x"}, True),
        ({"live": "sk_live_x"}, False),
        (lambda: "", False),
    ],
)
def test_without_a_key_of_the_mode_there_is_no_client(settings, keys, livemode):
    settings.STRIPE_API_KEY = keys
    with pytest.raises(ImproperlyConfigured, match="STRIPE_API_KEY"):
        client_for(livemode=livemode)


def test_with_keys_of_both_modes_the_mode_is_to_be_said(settings):
    settings.STRIPE_API_KEY = {"live": "sk_live_x", "test": "sk_test_x"}
    with pytest.raises(ImproperlyConfigured, match="livemode="):
        connect.client(account="acct_A")
    assert connect.client(account="acct_A", livemode=True)


def test_an_error_is_described_without_what_it_carries(stand_in):
    client = connect.client(account=PLATFORM)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.customers.retrieve("cus_secret")
    said = describe(missing.value)
    assert said.startswith("HTTP 404 resource_missing (request req_")
    assert "cus_secret" not in said
    with pytest.raises(stripe.PermissionError) as refused:
        client.v1.customers.list(options={"stripe_account": "acct_unknown"})
    assert "HTTP 403 account_invalid" in describe(refused.value)
    assert describe(stripe.APIConnectionError("Bearer sk_test_x")) == (
        "HTTP none APIConnectionError (request unknown)"
    )
