"""Owns the retrieval of what Stripe sends no event of: the platform's own account, and balance transactions."""

from __future__ import annotations

from typing import Final

import connect
from connect import PLATFORM
from connect.context import every_account
from django_stripe.account.models import Account
from django_stripe.balance_transaction.models import BalanceTransaction
from django_stripe.platform import Account as AnyAccount
from django_stripe.platform import account_key

ACCOUNTS_MAX: Final = 20


def retrieve_platform() -> Account:
    """Mirror the platform's own account. https://docs.stripe.com/api/accounts/retrieve"""
    platform = Account(connect_account_id="", livemode=False)
    with connect.account(PLATFORM):
        platform.retrieve_data_from_stripe()
    return platform


def retrieve_accounts() -> int:
    """Mirror the accounts that connected last, before anybody listened; return how many."""
    accounts = connect.client(account=PLATFORM).v1.accounts.list({"limit": ACCOUNTS_MAX}).data
    for account in accounts:
        row = Account(connect_account_id=account.id, stripe_id=account.id, livemode=False)
        with every_account():  # it may be no merchant yet
            row.retrieve_data_from_stripe()
    return len(accounts)


def retrieve_balance_transactions(account: AnyAccount) -> int:
    """Mirror every movement of the balance of `account`; return how many."""
    listed = connect.client(account=account).v1.balance_transactions.list({"limit": 100})
    count = 0
    for transaction in listed.auto_paging_iter():
        row = BalanceTransaction(
            connect_account_id=account_key(account), stripe_id=transaction.id, livemode=False
        )
        with connect.account(account):
            row.retrieve_data_from_stripe()
        count += 1
    return count
