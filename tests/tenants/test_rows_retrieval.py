"""Behind the wall a row is asked for in its account's context, without anybody having entered it."""

from __future__ import annotations

import pytest
from django.db import Error

import connect
from connect.context import every_account
from connect.testing import StandIn
from django_stripe.account.models import Account
from django_stripe.customer.models import Customer
from tests.tenants.rows import A


@pytest.fixture
def merchant(serving, settings):
    """An account of Stripe's with a customer, neither of which is mirrored."""
    with StandIn() as stand_in:
        settings.STRIPE_API_BASE, settings.STRIPE_API_KEY = stand_in.url, stand_in.api_key
        account = stand_in.client().v1.accounts.create({"type": "standard"}).id
        customer = connect.client(account=account).v1.customers.create({"name": "Ada"}).id
        yield account, customer


def test_outside_of_any_context_it_enters_the_accounts(merchant):
    account, stripe_id = merchant
    row = Customer(connect_account_id=account, stripe_id=stripe_id)
    assert row.retrieve_data_from_stripe()["name"] == "Ada"
    assert row.pk
    Account(connect_account_id=account, stripe_id=account).retrieve_data_from_stripe()
    assert not Customer.objects.exists(), "and leaves it again"
    with connect.account(account):
        assert Customer.objects.get().name == "Ada"
        assert Account.objects.get().stripe_id == account


def test_from_all_accounts_it_enters_its_own(merchant):
    account, stripe_id = merchant
    with every_account():
        Customer(connect_account_id=account, stripe_id=stripe_id).retrieve_data_from_stripe()
        assert Customer.objects.get(connect_account_id=account).stripe_id == stripe_id


def test_in_the_context_of_another_account_nothing_is_written(merchant):
    account, stripe_id = merchant
    with connect.account(A), pytest.raises(Error, match="row-level security"):
        Customer(connect_account_id=account, stripe_id=stripe_id).retrieve_data_from_stripe()
    with every_account():
        assert not Customer.objects.filter(connect_account_id=account).exists()
