"""A row is asked for in its account's schema, without anybody having entered it."""

from __future__ import annotations

import pytest

import connect
from connect.context import UnknownAccount
from connect.testing import StandIn
from django_stripe.account.models import Account
from django_stripe.customer.models import Customer
from tenants.provisioning import provision


@pytest.fixture
def account(truth, settings):
    """An account of Stripe's that is no merchant yet."""
    with StandIn() as stand_in:
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stand_in.url, stand_in.api_key
        yield stand_in.client().v1.accounts.create({"type": "standard"}).id


def test_an_account_is_asked_for_before_it_is_a_merchant(account):
    Account(connect_account_id=account, stripe_id=account).retrieve_data_from_stripe()
    assert Account.objects.get(stripe_id=account).connect_account_id == account


def test_a_row_goes_to_the_schema_of_its_account(account, truth):
    customer = connect.client(account=account).v1.customers.create({"name": "Ada"})
    row = Customer(connect_account_id=account, stripe_id=customer.id)
    with pytest.raises(UnknownAccount):
        row.retrieve_data_from_stripe()
    provision(account)
    row.retrieve_data_from_stripe()
    assert truth(f'SELECT stripe_id FROM "{account}".stripe_customer') == [(row.stripe_id,)]
