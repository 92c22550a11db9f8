"""What holds after any sequence of operations on several accounts: money adds up, nobody sees another's objects,
and whoever follows the events has the state."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import stripe as sdk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connect.testing import StandIn
from connect.testing.events import previous_attributes

DAY = 24 * 3600
CARDS = ("visa", "bypassPending", "createDispute", "chargeDeclined", "createDisputeInquiry")
MERCHANTS = 3
# Kinds whose every change has an event. PaymentIntents have none for an update, balance transactions none at all.
TOLD = (
    "account",
    "application_fee",
    "charge",
    "coupon",
    "customer",
    "dispute",
    "invoice",
    "payout",
    "refund",
    "subscription",
    "transfer",
)


class Platform:
    """A stand-in with some merchants, and random things to do with it."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        self.stripe = stand_in.client()
        self.merchants = [self._merchant(kind) for kind in ("express", "standard", "custom")]

    def _merchant(self, kind: Any) -> str:
        wanted: Any = {"transfers": {"requested": True}, "card_payments": {"requested": True}}
        account = self.stripe.v1.accounts.create({"type": kind, "capabilities": wanted}).id
        self.stand_in.onboard(account)
        return account

    def scope(self, number: int) -> str:
        """The platform for 0, or a merchant."""
        return ["", *self.merchants][number % (MERCHANTS + 1)]

    def options(self, scope: str) -> Any:
        return {"stripe_account": scope} if scope else {}

    def newest(self, scope: str, noun: str, nth: int) -> str:
        ids = list(self.stand_in.state(scope).get(noun, {}))
        return ids[nth % len(ids)] if ids else "none"

    def direct(self, scope: str, nth: int, amount: int) -> None:
        fee: Any = {"application_fee_amount": amount // 10} if scope else {}
        self.pay(scope, nth, amount, **fee)

    def destination(self, _: str, nth: int, amount: int) -> None:
        data = {"destination": self.merchants[nth % MERCHANTS]}
        self.pay("", nth, amount, transfer_data=data, application_fee_amount=amount // 7)

    def pay(self, scope: str, nth: int, amount: int, **params: Any) -> None:
        params |= {"amount": amount, "currency": ("usd", "eur")[amount % 2], "confirm": True}
        params["payment_method"] = f"pm_card_{CARDS[nth % len(CARDS)]}"
        params["capture_method"] = ("automatic", "automatic_async", "manual")[nth % 3]
        self.stripe.v1.payment_intents.create(params, self.options(scope))  # type: ignore[arg-type]

    def capture(self, scope: str, nth: int, amount: int) -> None:
        intent = self.newest(scope, "payment_intent", nth)
        params: Any = {"amount_to_capture": amount // 2} if nth % 2 else {}
        self.stripe.v1.payment_intents.capture(intent, params, self.options(scope))

    def cancel(self, scope: str, nth: int, _: int) -> None:
        intent = self.newest(scope, "payment_intent", nth)
        self.stripe.v1.payment_intents.cancel(intent, None, self.options(scope))

    def refund(self, scope: str, nth: int, amount: int) -> None:
        params: Any = {"charge": self.newest(scope, "charge", nth), "amount": amount // 3}
        if nth % 2:
            params["refund_application_fee"] = True
        if nth % 3 and not scope:
            params["reverse_transfer"] = True
        self.stripe.v1.refunds.create(params, self.options(scope))

    def transfer(self, _: str, nth: int, amount: int) -> None:
        params: Any = {
            "amount": amount // 3,
            "currency": "usd",
            "destination": self.merchants[nth % MERCHANTS],
        }
        if nth % 2:
            params["source_transaction"] = self.newest("", "charge", nth)
        self.stripe.v1.transfers.create(params)

    def reverse(self, _: str, nth: int, amount: int) -> None:
        params: Any = {"amount": amount // 3, "refund_application_fee": bool(nth % 2)}
        self.stripe.v1.transfers.reversals.create(self.newest("", "transfer", nth), params)

    def refund_fee(self, _: str, nth: int, amount: int) -> None:
        self.stripe.v1.application_fees.refunds.create(
            self.newest("", "application_fee", nth), {"amount": amount // 30 + 1}
        )

    def payout(self, scope: str, _: int, amount: int) -> None:
        self.stripe.v1.payouts.create(
            {"amount": amount // 3, "currency": "usd"}, self.options(scope)
        )

    def answer_dispute(self, scope: str, nth: int, amount: int) -> None:
        dispute, options = self.newest(scope, "dispute", nth), self.options(scope)
        if amount % 2:
            self.stripe.v1.disputes.close(dispute, None, options)
        else:
            text = ("winning_evidence", "losing_evidence", "some evidence")[amount % 3]
            self.stripe.v1.disputes.update(
                dispute, {"evidence": {"uncategorized_text": text}}, options
            )

    def buyer(self, scope: str, nth: int) -> str:
        settings: Any = {"default_payment_method": f"pm_card_{CARDS[nth % len(CARDS)]}"}
        params: Any = {"name": str(nth), "payment_method": settings["default_payment_method"]}
        return self.stripe.v1.customers.create(
            {**params, "invoice_settings": settings}, self.options(scope)
        ).id

    def invoice(self, scope: str, nth: int, amount: int) -> None:
        options, customer = self.options(scope), self.buyer(scope, nth)
        item: Any = {"customer": customer, "amount": amount, "currency": ("usd", "eur")[nth % 2]}
        self.stripe.v1.invoice_items.create(item, options)
        wanted: Any = {"customer": customer, "pending_invoice_items_behavior": "include"}
        if scope:
            wanted["application_fee_amount"] = amount // 9
        made = self.stripe.v1.invoices.create(wanted, options).id
        self.stripe.v1.invoices.finalize_invoice(made, None, options)
        verbs = ("pay", "pay", "void_invoice", "mark_uncollectible")
        getattr(self.stripe.v1.invoices, verbs[nth % 4])(made, None, options)

    def subscribe(self, scope: str, nth: int, amount: int) -> None:
        """A subscription that renews every day or two, or the end of an earlier one."""
        options = self.options(scope)
        if amount % 4 == 0:
            earlier = self.newest(scope, "subscription", nth)
            self.stripe.v1.subscriptions.cancel(earlier, None, options)
            return
        every: Any = {"interval": "day", "interval_count": 1 + nth % 2}
        price: Any = {"currency": "usd", "unit_amount": amount, "product_data": {"name": "Tea"}}
        made = self.stripe.v1.prices.create({**price, "recurring": every}, options).id
        params: Any = {"customer": self.buyer(scope, nth), "items": [{"price": made}]}
        if scope:
            params["application_fee_percent"] = amount % 30
        else:
            params["transfer_data"] = {"destination": self.merchants[nth % MERCHANTS]}
        if nth % 5 == 0:
            params["trial_period_days"] = 2
        self.stripe.v1.subscriptions.create(params, options)

    def customer(self, scope: str, nth: int, amount: int) -> None:
        customer, options = self.newest(scope, "customer", nth), self.options(scope)
        if amount % 3 == 0:
            self.stripe.v1.customers.create({"name": str(amount)}, options)
        elif amount % 3 == 1:
            self.stripe.v1.customers.update(
                customer, {"name": str(amount), "metadata": {str(nth): "x"}}, options
            )
        else:
            self.stripe.v1.customers.delete(customer, None, options)

    def coupon(self, scope: str, nth: int, amount: int) -> None:
        """The same few ids on every account."""
        id_, options = f"C{nth % 3}", self.options(scope)
        if amount % 3:
            self.stripe.v1.coupons.create({"id": id_, "percent_off": 1 + amount % 100}, options)
        else:
            self.stripe.v1.coupons.delete(id_, None, options)

    def wait(self, _: str, nth: int, __: int) -> None:
        self.stand_in.advance(nth * DAY / 4)


ACTIONS: tuple[Callable[[Platform, str, int, int], None], ...] = (
    Platform.direct,
    Platform.direct,
    Platform.destination,
    Platform.destination,
    Platform.capture,
    Platform.cancel,
    Platform.refund,
    Platform.refund,
    Platform.transfer,
    Platform.reverse,
    Platform.refund_fee,
    Platform.payout,
    Platform.answer_dispute,
    Platform.customer,
    Platform.coupon,
    Platform.invoice,
    Platform.subscribe,
    Platform.wait,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, MERCHANTS),
        st.integers(0, 30),
        st.integers(50, 3000),
    ),
    min_size=15,
    max_size=60,
)


@pytest.fixture(scope="module")
def running() -> Any:
    with StandIn(seed=3) as stand_in:
        yield stand_in


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_after_any_sequence(running: StandIn, steps: Any) -> None:
    running.reset()
    platform = Platform(running)
    for action, number, nth, amount in steps:
        scope = platform.scope(number)
        before = {other: shown(running, other) for other in platform.merchants}
        with suppress(sdk.InvalidRequestError, sdk.CardError):
            action(platform, scope, nth, amount)
        money_adds_up(running, platform)
        if action in {Platform.customer, Platform.coupon, Platform.direct} and scope:
            others = set(platform.merchants) - {scope}
            assert all(shown(running, other) == before[other] for other in others)
    nobody_sees_another(running, platform)
    for scope in ("", *platform.merchants):
        events_tell_the_state(running, scope)


def shown(stand_in: StandIn, account: str) -> Any:
    return {**stand_in.state(account), "funds": stand_in.funds(account)}


def money_adds_up(stand_in: StandIn, platform: Platform) -> None:
    """The balance is the sum of the balance transactions, for each account and currency, and what left the platform
    for a merchant arrived there."""
    now = stand_in.clock.now()
    for scope in ("", *platform.merchants):
        sums: dict[str, list[int]] = {}
        for row in stand_in.state(scope).get("balance_transaction", {}).values():
            assert row["net"] == row["amount"] - row["fee"]
            assert row["fee"] == sum(detail["amount"] for detail in row["fee_details"])
            sums.setdefault(row["currency"], [0, 0])[row["available_on"] > now] += row["net"]
        assert {c: (f.available, f.pending) for c, f in stand_in.funds(scope).items()} == {
            currency: tuple(pair) for currency, pair in sums.items()
        }
    transfers = stand_in.state().get("transfer", {}).values()
    for merchant in platform.merchants:
        sent = sum(
            row["amount"] - row["amount_reversed"]
            for row in transfers
            if row["destination"] == merchant
        )
        payments = stand_in.state(merchant).get("charge", {}).values()
        arrived = sum(
            row["amount"] - row["amount_refunded"] for row in payments if row["source_transfer"]
        )
        assert sent == arrived


def nobody_sees_another(stand_in: StandIn, platform: Platform) -> None:
    """No object of one account can be retrieved as another, and a list shows exactly the account's own."""
    for scope in ("", *platform.merchants):
        own = stand_in.state(scope)
        listed = platform.stripe.v1.charges.list(
            {"limit": 100}, platform.options(scope)
        ).auto_paging_iter()
        assert {charge.id for charge in listed} == set(own.get("charge", {}))
        for other in {"", *platform.merchants} - {scope}:
            for charge in list(own.get("charge", {}))[:3]:
                with pytest.raises(sdk.InvalidRequestError, match="No such charge"):
                    platform.stripe.v1.charges.retrieve(charge, None, platform.options(other))


def events_tell_the_state(stand_in: StandIn, scope: str) -> None:
    """Following the events leads to the state, and each that says what was before says it rightly."""
    state = stand_in.state(scope)
    followed: dict[tuple[str, str], Any] = {}
    for event in state.get("event", {}).values():
        obj, before = event["data"]["object"], event["data"].get("previous_attributes")
        if obj["object"] not in TOLD:
            continue
        key = (obj["object"], obj["id"])
        if before is not None and key in followed:
            assert previous_attributes(followed[key], obj) == before
        # A subscription that is told as deleted has only ended.
        gone = event["type"].endswith(".deleted") and obj["object"] != "subscription"
        followed[key] = None if gone else obj
    for noun in TOLD:
        for id_, obj in state.get(noun, {}).items():
            assert followed[noun, id_] == obj
