"""Owns the story that the demo and the smoke test tell: three merchants connect, sell, refund, are paid out.

Everything is done at Stripe, through the module's own client; nothing is written to the database. That the
shop knows of it afterwards is the work of the webhooks alone.
"""

from __future__ import annotations

import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import stripe

import connect
from connect import PLATFORM
from example_platform.shop import sales
from example_platform.stand_in import StandIn

DAY_SECONDS: Final = 24 * 3600
CAPABILITIES: Final[Any] = {"card_payments": {"requested": True}, "transfers": {"requested": True}}


@dataclass(frozen=True)
class Founded:
    """A merchant as it introduces itself; `unit` is about a dollar, in minor units of its currency."""

    name: str
    country: str
    currency: str
    unit: int
    type: Any


MERCHANTS: Final = (
    Founded("Juniper Bakery", "US", "usd", 100, "express"),
    Founded("Hagi Ceramics", "JP", "jpy", 150, "standard"),
    Founded("Pearl Perfumes", "AE", "kwd", 300, "custom"),
)


@dataclass
class Cast:
    """Who takes part, and what they have to do with each other so far."""

    stand_in: StandIn
    merchants: dict[str, Founded] = field(default_factory=dict)
    customers: dict[str, str] = field(default_factory=dict)
    direct: dict[str, stripe.PaymentIntent] = field(default_factory=dict)
    destination: dict[str, stripe.PaymentIntent] = field(default_factory=dict)
    separate: dict[str, stripe.PaymentIntent] = field(default_factory=dict)


Chapter = Callable[[Cast], None]


def play(
    stand_in: StandIn,
    say: Callable[[str], None],
    *,
    unruly: bool = False,
    after_each: Callable[[], None] = lambda: None,
) -> Cast:
    """Tell the story, a day a chapter, up to now.

    `unruly`: the deliveries of a chapter come three times each and in any order, and every other chapter
    happens within one second of Stripe's clock. `after_each` chapter the shop does what it has to.
    """
    cast = Cast(stand_in)
    _set_clock(stand_in, time.time() - len(CHAPTERS) * DAY_SECONDS)
    if unruly:
        stand_in.tell("switches", paused=True, shuffle=True, duplicate=2)
    for number, chapter in enumerate(CHAPTERS):
        stand_in.tell("clock", freeze=unruly and number % 2 == 1)
        chapter(cast)
        stand_in.flush()
        stand_in.tell("clock", freeze=False, advance=DAY_SECONDS)
        stand_in.flush()
        after_each()
        say((chapter.__doc__ or "").strip())
    stand_in.tell("switches", paused=False, shuffle=False, duplicate=0)
    _set_clock(stand_in, time.time())
    return cast


def connect_merchants(cast: Cast) -> None:
    """Three merchants connect, and complete their onboarding."""
    accounts = connect.client(account=PLATFORM).v1.accounts
    for founded in MERCHANTS:
        account = accounts.create(
            {
                "type": founded.type,
                "country": founded.country,
                "default_currency": founded.currency,
                "business_profile": {"name": founded.name},
                "capabilities": CAPABILITIES,
            }
        )
        cast.stand_in.tell("onboard", account=account.id)
        cast.merchants[account.id] = founded


def gather_customers(cast: Cast) -> None:
    """Each merchant has customers of its own: one moves there and back, one is deleted."""
    for account in cast.merchants:
        customers = connect.client(account=account).v1.customers
        kept = customers.create({"name": "Ada", "email": "ada@example.com"})
        customers.update(kept.id, {"name": "Ada L."})
        customers.update(kept.id, {"name": "Ada"})
        customers.update(kept.id, {"phone": "+1 555 0100"})
        gone = customers.create({"name": "Bob", "email": "bob@example.com"})
        customers.update(gone.id, {"name": "Bob B."})
        customers.delete(gone.id)
        cast.customers[account] = kept.id


def sell_directly(cast: Cast) -> None:
    """They sell by direct charges: one is paid, one is declined, one goes through Checkout."""
    for account, founded in cast.merchants.items():
        cast.direct[account] = sales.direct(
            account, 40 * founded.unit, founded.currency, customer=cast.customers[account]
        )
        try:
            sales.direct(
                account,
                90 * founded.unit,
                founded.currency,
                payment_method="pm_card_chargeDeclined",
            )
        except stripe.CardError:
            pass
        else:
            raise AssertionError(f"The card that is always declined paid on account {account}.")
        _check_out(account, founded)


def sell_by_destination(cast: Cast) -> None:
    """They sell by destination charges; the money goes on to them."""
    for account, founded in cast.merchants.items():
        cast.destination[account] = sales.destination(
            account, 25 * founded.unit, founded.currency, on_behalf_of=account
        )
        sales.destination(account, 60 * founded.unit, founded.currency)


def sell_separately(cast: Cast) -> None:
    """The platform sells, and transfers to one merchant, and to all of them, what is theirs."""
    for account, founded in cast.merchants.items():
        cast.separate[account] = sales.separate(
            account, 30 * founded.unit, founded.currency, transfer_group=f"ORDER_{founded.name}"
        )
    sales.shared(list(cast.merchants), 9000, "usd", transfer_group="ORDER_OF_ALL")


def refund(cast: Cast) -> None:
    """They refund: a part, the whole with its transfer, and a transfer is taken back."""
    platform = connect.client(account=PLATFORM).v1
    for account, founded in cast.merchants.items():
        merchant = connect.client(account=account).v1
        direct = cast.direct[account].id
        for _ in range(2):
            part: Any = {"payment_intent": direct, "amount": 10 * founded.unit}
            merchant.refunds.create(part | {"refund_application_fee": True})
        platform.refunds.create(
            {
                "payment_intent": cast.destination[account].id,
                "reverse_transfer": True,
                "refund_application_fee": True,
            }
        )
        paid = cast.separate[account]
        (sent,) = platform.transfers.list({"transfer_group": f"ORDER_{founded.name}"}).data
        platform.transfers.reversals.create(sent.id)
        platform.refunds.create({"payment_intent": paid.id})


def dispute(cast: Cast) -> None:
    """A customer of each disputes a payment; the merchants fight for it, and some win."""
    evidence = ("winning_evidence", "losing_evidence")
    for number, (account, founded) in enumerate(cast.merchants.items()):
        sales.direct(
            account, 20 * founded.unit, founded.currency, payment_method="pm_card_createDispute"
        )
        disputes = connect.client(account=account).v1.disputes
        (opened,) = disputes.list().data
        proof: Any = {"uncategorized_text": evidence[number % 2]}
        disputes.update(opened.id, {"evidence": proof})


def pay_out(cast: Cast) -> None:
    """They are paid out what is available by now."""
    for account, founded in cast.merchants.items():
        connect.client(account=account).v1.payouts.create(
            {"amount": 5 * founded.unit, "currency": founded.currency}
        )


def sell_once_more(cast: Cast) -> None:
    """They sell once more, each in every way."""
    for account, founded in cast.merchants.items():
        for way in sales.WAYS.values():
            way(account, 15 * founded.unit, founded.currency)


CHAPTERS: Final[tuple[Chapter, ...]] = (
    connect_merchants,
    gather_customers,
    sell_directly,
    sell_by_destination,
    sell_separately,
    refund,
    dispute,
    pay_out,
    sell_once_more,
)


def _check_out(account: str, founded: Founded) -> None:
    """Open a Checkout Session, and pay it on its page as a customer would."""
    session = connect.client(account=account).v1.checkout.sessions.create(
        {
            "mode": "payment",
            "line_items": [
                {
                    "price_data": {
                        "currency": founded.currency,
                        "unit_amount": 12 * founded.unit,
                        "product_data": {"name": "A gift card"},
                    },
                    "quantity": 2,
                }
            ],
            "payment_intent_data": {"application_fee_amount": founded.unit},
            "customer_creation": "always",
        }
    )
    form = {"email": "eve@example.com", "name": "Eve", "payment_method": sales.CARD}
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(str(session.url), body, timeout=10):  # noqa: S310 - the stand-in's own page
        pass


def _set_clock(stand_in: StandIn, unix: float) -> None:
    stand_in.tell("clock", freeze=False, set=unix)
