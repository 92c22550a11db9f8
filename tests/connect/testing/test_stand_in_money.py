"""Whose money it is: the three kinds of charges, refunds, disputes, transfers and payouts."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn

DAYS = 24 * 3600
Pay = Callable[..., Any]


def total(stand_in: StandIn, account: str = "") -> int:
    funds = stand_in.funds(account).get("usd")
    return funds.total if funds else 0


def test_a_direct_charge_lives_on_the_merchant_and_pays_the_platform_a_fee(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    intent = pay(on=merchant, application_fee_amount=123)
    charge = intent.latest_charge
    assert intent.status == "succeeded"
    assert intent.application == charge.application == stand_in.world.application
    assert charge.balance_transaction.fee == 59 + 123
    assert {detail.type for detail in charge.balance_transaction.fee_details} == {
        "stripe_fee",
        "application_fee",
    }
    fee = stripe.v1.application_fees.retrieve(charge.application_fee)
    assert (fee.account, fee.charge, fee.amount) == (merchant, charge.id, 123)
    assert fee.originating_transaction is None
    assert (total(stand_in), total(stand_in, merchant)) == (123, 1000 - 59 - 123)
    with pytest.raises(sdk.InvalidRequestError, match="No such charge"):
        stripe.v1.charges.retrieve(charge.id)


def test_where_the_platform_pays_the_fees_the_merchant_gets_it_all(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay
) -> None:
    controller: Any = {"fees": {"payer": "application"}, "losses": {"payments": "application"}}
    account = stripe.v1.accounts.create({"controller": controller}).id
    stand_in.onboard(account)
    assert pay(on=account).latest_charge.balance_transaction.net == 1000
    assert total(stand_in) == -59


def test_a_destination_charge_lives_on_the_platform_and_arrives_as_a_payment(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    charge = pay(application_fee_amount=123, transfer_data={"destination": merchant}).latest_charge
    transfer = stripe.v1.transfers.retrieve(charge.transfer)
    assert (transfer.amount, transfer.destination, transfer.source_transaction) == (
        1000,
        merchant,
        charge.id,
    )
    payment_id: Any = transfer.destination_payment
    options: Any = {"stripe_account": merchant}
    payment = stripe.v1.charges.retrieve(payment_id, {"expand": ["balance_transaction"]}, options)
    assert payment.id.startswith("py_")
    assert payment.source_transfer == transfer.id
    booked: Any = payment.balance_transaction
    assert (booked.type, booked.amount, booked.fee, booked.net) == ("payment", 1000, 123, 877)
    fee = stripe.v1.application_fees.retrieve(charge.application_fee)
    assert (fee.account, fee.charge, fee.originating_transaction) == (
        merchant,
        payment_id,
        charge.id,
    )
    assert (total(stand_in), total(stand_in, merchant)) == (123 - 59, 877)
    with pytest.raises(sdk.InvalidRequestError, match="No such charge"):
        stripe.v1.charges.retrieve(payment_id)


def test_transfer_data_amount_makes_no_fee(stand_in: StandIn, pay: Pay, merchant: str) -> None:
    charge = pay(transfer_data={"destination": merchant, "amount": 800}).latest_charge
    assert charge.application_fee is None
    assert (total(stand_in), total(stand_in, merchant)) == (200 - 59, 800)


def test_a_separate_transfer_waits_for_its_charge(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    charge = pay(transfer_group="order_1").latest_charge
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.transfers.create({"amount": 500, "currency": "usd", "destination": merchant})
    assert refused.value.code == "balance_insufficient"
    params: Any = {
        "amount": 500,
        "currency": "usd",
        "destination": merchant,
        "source_transaction": charge.id,
    }
    transfer = stripe.v1.transfers.create(params)
    assert transfer.transfer_group == "order_1"
    assert stand_in.funds(merchant)["usd"].pending == 500
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.transfers.create(params | {"amount": 501})
    stand_in.advance(2 * DAYS)
    assert stand_in.funds(merchant)["usd"].available == 500
    assert (
        stripe.v1.transfers.create(
            {"amount": 400, "currency": "usd", "destination": merchant}
        ).amount
        == 400
    )


def test_transfers_need_a_destination_that_may_receive(
    stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    pay(card="bypassPending")
    with pytest.raises(sdk.InvalidRequestError, match="No such destination: 'acct_unknown'"):
        stripe.v1.transfers.create({"amount": 1, "currency": "usd", "destination": "acct_unknown"})
    unready = stripe.v1.accounts.create({"type": "express"}).id
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.transfers.create({"amount": 1, "currency": "usd", "destination": unready})
    assert refused.value.code == "insufficient_capabilities_for_transfer"
    with pytest.raises(sdk.InvalidRequestError, match="No such destination"):
        stripe.v1.transfers.create(
            {"amount": 1, "currency": "usd", "destination": unready}, {"stripe_account": merchant}
        )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"application_fee_amount": 10}, "Can only apply an application_fee_amount"),
        ({"application_fee_amount": 10, "transfer_data": {"amount": 5}}, "mutually exclusive"),
        ({"application_fee_amount": 1001, "transfer_data": {}}, "between 0 and the amount"),
        ({"amount": 10}, "Amount must be at least"),
        ({"amount": 0}, "greater than or equal to 1"),
        ({"amount": 100_000_000}, "no more than"),
        ({"currency": "euros"}, "Invalid currency"),
        ({"customer": "cus_unknown"}, "No such customer"),
        ({"payment_method": "pm_unknown"}, "No such PaymentMethod"),
    ],
)
def test_payments_that_stripe_refuses_are_refused_and_leave_nothing(
    stand_in: StandIn, pay: Pay, merchant: str, params: dict[str, Any], message: str
) -> None:
    if "transfer_data" in params:
        params = {**params, "transfer_data": {"destination": merchant, **params["transfer_data"]}}
    with pytest.raises(sdk.InvalidRequestError, match=message):
        pay(**params)
    assert stand_in.state().get("payment_intent", {}) == {}
    assert stand_in.state().get("event", {}) == {}


def test_a_declined_card_leaves_its_traces(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay
) -> None:
    with pytest.raises(sdk.CardError) as refused:
        pay(card="chargeDeclinedInsufficientFunds")
    error: Any = refused.value.error
    assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    intent = stripe.v1.payment_intents.retrieve(error.payment_intent.id)
    assert intent.status == "requires_payment_method"
    assert stripe.v1.charges.retrieve(error.charge).status == "failed"
    assert total(stand_in) == 0
    again = stripe.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert again.status == "succeeded"
    assert again.last_payment_error is None


def test_a_card_may_want_the_buyer(stripe: sdk.StripeClient, pay: Pay) -> None:
    intent = pay(card="authenticationRequired", expand=[])
    assert intent.status == "requires_action"
    with pytest.raises(sdk.CardError) as refused:
        pay(card="authenticationRequired", off_session=True)
    assert refused.value.code == "authentication_required"


def test_money_is_captured_later_in_part(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    data = {"destination": merchant}
    intent = pay(capture_method="manual", transfer_data=data, application_fee_amount=100)
    assert (intent.status, intent.amount_capturable, total(stand_in)) == (
        "requires_capture",
        1000,
        0,
    )
    captured = stripe.v1.payment_intents.capture(
        intent.id, {"amount_to_capture": 600, "application_fee_amount": 60}
    )
    assert (captured.status, captured.amount_received) == ("succeeded", 600)
    assert total(stand_in, merchant) == 540
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.payment_intents.capture(intent.id)
    assert refused.value.code == "payment_intent_unexpected_state"


def test_cancelling_releases_the_money(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay
) -> None:
    intent = pay(capture_method="manual")
    assert stripe.v1.payment_intents.cancel(intent.id).status == "canceled"
    assert stripe.v1.charges.retrieve(intent.latest_charge.id).refunded
    assert total(stand_in) == 0
    with pytest.raises(sdk.InvalidRequestError, match="You cannot cancel this PaymentIntent"):
        stripe.v1.payment_intents.cancel(intent.id)


def test_a_refund_leaves_transfer_and_fee_unless_asked(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    intent = pay(application_fee_amount=100, transfer_data={"destination": merchant})
    stripe.v1.refunds.create({"payment_intent": intent.id, "amount": 500})
    assert (total(stand_in), total(stand_in, merchant)) == (100 - 59 - 500, 900)
    refund = stripe.v1.refunds.create(
        {"payment_intent": intent.id, "reverse_transfer": True, "refund_application_fee": True}
    )
    assert refund.amount == 500
    assert refund.transfer_reversal
    assert (total(stand_in), total(stand_in, merchant)) == (
        100 - 59 - 500 - 500 + 500 - 50,
        900 - 500 + 50,
    )
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_already_refunded"


def test_a_reversal_leaves_traces_on_both_sides(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    charge = pay(application_fee_amount=100, transfer_data={"destination": merchant}).latest_charge
    reversal = stripe.v1.transfers.reversals.create(
        charge.transfer, {"amount": 400, "refund_application_fee": True}
    )
    transfer = stripe.v1.transfers.retrieve(charge.transfer)
    assert (transfer.amount_reversed, transfer.reversed) == (400, False)
    assert transfer.reversals.data[0].id == reversal.id
    options: Any = {"stripe_account": merchant}
    refund_id: Any = reversal.destination_payment_refund
    assert (
        stripe.v1.refunds.retrieve(refund_id, None, options).source_transfer_reversal == reversal.id
    )
    payment: Any = transfer.destination_payment
    assert stripe.v1.charges.retrieve(payment, None, options).amount_refunded == 400
    assert stripe.v1.application_fees.retrieve(charge.application_fee).amount_refunded == 40
    assert (total(stand_in), total(stand_in, merchant)) == (100 - 40 - 59 + 400, 900 - 360)


def test_what_came_by_a_transfer_is_not_refunded_by_the_merchant(
    stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    pay(transfer_data={"destination": merchant})
    options: Any = {"stripe_account": merchant}
    payment = stripe.v1.charges.list(None, options).data[0].id
    with pytest.raises(sdk.InvalidRequestError, match="came by a transfer"):
        stripe.v1.refunds.create({"charge": payment}, options)


def test_a_reversal_that_the_merchant_cannot_cover_changes_nothing(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    intent = pay(card="bypassPending", transfer_data={"destination": merchant})
    stripe.v1.payouts.create({"amount": 900, "currency": "usd"}, {"stripe_account": merchant})
    before = (
        stand_in.state(),
        stand_in.state(merchant),
        total(stand_in),
        total(stand_in, merchant),
    )
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"payment_intent": intent.id, "reverse_transfer": True})
    assert refused.value.code == "balance_insufficient"
    assert (
        stand_in.state(),
        stand_in.state(merchant),
        total(stand_in),
        total(stand_in, merchant),
    ) == before


def test_a_direct_refund_takes_the_platforms_fee_back_when_asked(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    charge = pay(on=merchant, application_fee_amount=100).latest_charge
    stripe.v1.refunds.create({"charge": charge.id, "amount": 250}, {"stripe_account": merchant})
    assert total(stand_in) == 100
    params: Any = {"charge": charge.id, "amount": 500, "refund_application_fee": True}
    stripe.v1.refunds.create(params, {"stripe_account": merchant})
    assert total(stand_in) == 50
    assert total(stand_in, merchant) == 1000 - 59 - 100 - 750 + 50


def test_a_dispute_on_a_destination_charge_costs_the_platform(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    charge = pay(
        card="createDispute", transfer_data={"destination": merchant}, expand=[]
    ).latest_charge
    dispute = stripe.v1.disputes.list({"charge": charge}).data[0]
    assert (dispute.status, dispute.reason) == ("needs_response", "fraudulent")
    assert (total(stand_in), total(stand_in, merchant)) == (-59 - 1000 - 1500, 1000)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.refunds.create({"charge": charge})
    assert refused.value.code == "charge_disputed"
    won = stripe.v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}}
    )
    assert won.status == "won"
    assert total(stand_in) == -59
    assert len(won.balance_transactions) == 2


def test_a_direct_dispute_costs_the_merchant_and_closing_loses_it(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    pay(on=merchant, card="createDispute")
    options: Any = {"stripe_account": merchant}
    dispute = stripe.v1.disputes.list(None, options).data[0]
    assert stripe.v1.disputes.close(dispute.id, None, options).status == "lost"
    assert (total(stand_in), total(stand_in, merchant)) == (0, -59 - 1500)
    assert stripe.v1.disputes.list().data == []


def test_a_payout_arrives_when_the_clock_gets_there(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    pay(on=merchant)
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options)
    assert refused.value.code == "balance_insufficient"
    stand_in.advance(2 * DAYS)
    payout = stripe.v1.payouts.create({"amount": 500, "currency": "usd"}, options)
    assert payout.status == "pending"
    assert total(stand_in, merchant) == 1000 - 59 - 500
    stand_in.advance(2 * DAYS)
    assert stripe.v1.payouts.retrieve(payout.id, None, options).status == "paid"
    assert stripe.v1.payouts.list().data == []


def test_the_balance_is_the_sum_of_its_transactions(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    options: Any = {"stripe_account": merchant}
    pay(on=merchant)
    pay(on=merchant, card="bypassPending")
    balance = stripe.v1.balance.retrieve(None, options)
    assert (balance.available[0].amount, balance.pending[0].amount) == (941, 941)
    rows = stripe.v1.balance_transactions.list(None, options).data
    assert sorted(row.status for row in rows) == ["available", "pending"]
    stand_in.clock.advance(-DAYS)
    assert stripe.v1.balance.retrieve(None, options).pending[0].amount == 1882
    stand_in.clock.advance(4 * DAYS)
    assert stripe.v1.balance.retrieve(None, options).available[0].amount == 1882


def test_an_application_fee_can_be_refunded_by_itself(
    stand_in: StandIn, stripe: sdk.StripeClient, pay: Pay, merchant: str
) -> None:
    fee = pay(on=merchant, application_fee_amount=100).latest_charge.application_fee
    refund = stripe.v1.application_fees.refunds.create(
        fee, {"amount": 30, "metadata": {"why": "kindness"}}
    )
    assert (refund.fee, refund.metadata["why"]) == (fee, "kindness")  # type: ignore[index]
    assert [row.id for row in stripe.v1.application_fees.refunds.list(fee).data] == [refund.id]
    assert (total(stand_in), total(stand_in, merchant)) == (70, 1000 - 59 - 100 + 30)
