"""Payouts: to the default external account, back from one that fails, by themselves, and the other way round."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

Pay = Callable[..., Any]
DAY = 24 * 3600


@pytest.fixture
def funded(stripe: sdk.StripeClient, pay: Pay, merchant: str) -> str:
    """A merchant with money that is available."""
    pay(on=merchant, card="bypassPending")
    return merchant


def options(account: str) -> Any:
    return {"stripe_account": account}


def use_bank(stripe: sdk.StripeClient, account: str, token: str) -> str:
    given: Any = {"external_account": token, "default_for_currency": True}
    return stripe.v1.accounts.external_accounts.create(account, given).id


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("btok_us_verified_noAccount", "no_account"),
        ("btok_us_verified_accountClosed", "account_closed"),
        ("btok_us_verified_insufficientFunds", "insufficient_funds"),
        ("btok_us_verified_debitNotAuthorized", "debit_not_authorized"),
        ("btok_us_verified_invalidCurrency", "invalid_currency"),
    ],
)
def test_a_bank_that_refuses_says_so_after_the_payout_was_paid(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str, token: str, code: str
) -> None:
    bank = use_bank(stripe, funded, token)
    before = stand_in.funds(funded)["usd"].total
    params: Any = {"amount": 500, "currency": "usd", "expand": ["destination"]}
    payout: Any = stripe.v1.payouts.create(params, options(funded))
    assert payout.destination.id == bank
    stand_in.advance(2 * DAY)
    assert stripe.v1.payouts.retrieve(payout.id, None, options(funded)).status == "paid"
    stand_in.advance(DAY)
    failed: Any = stripe.v1.payouts.retrieve(
        payout.id, {"expand": ["failure_balance_transaction"]}, options(funded)
    )
    assert (failed.status, failed.failure_code) == ("failed", code)
    assert failed.failure_balance_transaction.amount == 500
    assert stand_in.funds(funded)["usd"].total == before


def test_a_failure_disables_the_bank_account_until_it_is_updated(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str
) -> None:
    bank = use_bank(stripe, funded, "btok_us_verified_noAccount")
    stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(funded))
    stand_in.advance(2 * DAY)
    stand_in.advance(DAY)
    params: Any = {"types": ["account.*", "payout.*"], "limit": 4}
    types = [event.type for event in stripe.v1.events.list(params, options(funded)).data]
    assert {"payout.failed", "account.external_account.updated", "account.updated"} <= set(types)
    external: Any = stripe.v1.accounts.external_accounts
    assert external.retrieve(funded, bank).status == "errored"
    account: Any = stripe.v1.accounts.retrieve(funded)
    assert (account.charges_enabled, account.payouts_enabled) == (True, True)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(funded))
    assert refused.value.code == "bank_account_unusable"
    assert external.update(funded, bank, {}).status == "new"
    assert stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(funded)).id


def test_an_account_without_another_bank_account_is_not_paid_out(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay
) -> None:
    account = stripe.v1.accounts.create({"type": "express"}).id
    stand_in.onboard(account, bank_account="000111111113")
    pay(on=account, card="bypassPending")
    stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(account))
    stand_in.advance(2 * DAY)
    stand_in.advance(DAY)
    found: Any = stripe.v1.accounts.retrieve(account)
    assert (found.charges_enabled, found.payouts_enabled) == (True, False)
    assert found.requirements.past_due == ["external_account"]
    bank = found.external_accounts.data[0].id
    stripe.v1.accounts.external_accounts.update(account, bank, {})
    assert stripe.v1.accounts.retrieve(account).payouts_enabled


def test_a_debit_card_is_paid_out_to_as_well(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str
) -> None:
    card = use_bank(stripe, funded, "tok_visa_debit_us_transferFail")
    payout = stripe.v1.payouts.create(
        {"amount": 500, "currency": "usd", "method": "instant"}, options(funded)
    )
    assert (payout.type, payout.destination) == ("card", card)
    stand_in.advance(3600)
    stand_in.advance(DAY)
    failed = stripe.v1.payouts.retrieve(payout.id, None, options(funded))
    assert failed.failure_code == "could_not_process"


def test_a_payout_that_is_pending_is_canceled(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str
) -> None:
    before = stand_in.funds(funded)["usd"].total
    payout = stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(funded))
    assert stripe.v1.payouts.cancel(payout.id, None, options(funded)).status == "canceled"
    assert stand_in.funds(funded)["usd"].total == before
    with pytest.raises(sdk.InvalidRequestError, match="only pending payouts"):
        stripe.v1.payouts.cancel(payout.id, None, options(funded))
    stand_in.advance(2 * DAY)
    assert stripe.v1.payouts.retrieve(payout.id, None, options(funded)).status == "canceled"


def test_a_payout_needs_an_external_account_in_its_currency(
    stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    pay(on=merchant, card="bypassPending", currency="eur")
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.payouts.create({"amount": 100, "currency": "eur"}, options(merchant))
    assert refused.value.code == "payouts_not_allowed"


def test_the_platform_has_a_bank_account_by_nature(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay
) -> None:
    pay(card="bypassPending")
    payout = stripe.v1.payouts.create({"amount": 100, "currency": "usd"})
    stand_in.advance(2 * DAY)
    assert stripe.v1.payouts.retrieve(payout.id).status == "paid"


def test_a_failed_payout_outlives_its_bank_account(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str
) -> None:
    bank = use_bank(stripe, funded, "btok_us_verified_noAccount")
    payout = stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(funded))
    stand_in.advance(2 * DAY)
    use_bank(stripe, funded, "btok_us_verified")
    stripe.v1.accounts.external_accounts.delete(funded, bank)
    stand_in.advance(DAY)
    failed = stripe.v1.payouts.retrieve(payout.id, None, options(funded))
    assert (failed.status, failed.failure_code) == ("failed", "no_account")


def test_an_automatic_payout_says_what_it_is_made_of(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str, pay: Pay
) -> None:
    available = stand_in.funds(funded)["usd"].available
    (made,) = stand_in.pay_out(funded)
    payout = stripe.v1.payouts.retrieve(made["id"], None, options(funded))
    assert (payout.automatic, payout.amount, payout.reconciliation_status) == (
        True,
        available,
        "completed",
    )
    params: Any = {"payout": payout.id}
    parts = stripe.v1.balance_transactions.list(params, options(funded)).data
    assert sum(row.net for row in parts if row.type != "payout") == payout.amount
    assert sum(row.net for row in parts) == 0
    types = [event.type for event in stripe.v1.events.list(None, options(funded)).data]
    assert "payout.reconciliation_completed" in types
    assert stand_in.pay_out(funded) == []
    pay(on=funded, card="bypassPending")
    (second,) = stand_in.pay_out(funded)
    parts = stripe.v1.balance_transactions.list({"payout": second["id"]}, options(funded)).data
    assert sum(row.net for row in parts) == 0


def test_a_manual_payout_does_not_say_so(stripe: sdk.StripeClient, funded: str) -> None:
    payout = stripe.v1.payouts.create({"amount": 100, "currency": "usd"}, options(funded))
    with pytest.raises(sdk.InvalidRequestError, match="automatic"):
        stripe.v1.balance_transactions.list({"payout": payout.id}, options(funded))


def test_a_paid_payout_is_reversed_once(
    stand_in: StandIn, stripe: sdk.StripeClient, funded: str
) -> None:
    before = stand_in.funds(funded)["usd"].total
    payout = stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options(funded))
    with pytest.raises(sdk.InvalidRequestError, match="only a paid payout"):
        stripe.v1.payouts.reverse(payout.id, None, options(funded))
    stand_in.advance(2 * DAY)
    back = stripe.v1.payouts.reverse(payout.id, {"metadata": {"a": "1"}}, options(funded))
    assert (back.amount, back.original_payout) == (-500, payout.id)
    assert back.metadata is not None
    assert back.metadata.to_dict() == {"a": "1"}
    assert stripe.v1.payouts.retrieve(payout.id, None, options(funded)).reversed_by == back.id
    assert stand_in.funds(funded)["usd"].total == before
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.payouts.reverse(payout.id, None, options(funded))
