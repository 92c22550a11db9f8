"""Owns what the merchants' page shows: read from the database, by as many queries for one merchant as for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import CharField, QuerySet, Value

from connect.models import InboxEvent
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.platform import account_of
from example_platform import places
from example_platform.shop.models import Takings

MERCHANTS_PER_PAGE: Final = 20
MERCHANT: Final = "merchant"
"""What a charge is annotated with: whose page it is shown on."""
CHARGES_MAX: Final = 10
EVENTS_MAX: Final = 12
CHARGE_COLUMNS: Final = (
    "connect_account_id",
    "stripe_id",
    "created",
    "amount",
    "amount_refunded",
    "currency",
    "status",
    "disputed",
    "destination",
    "source_transfer",
)
EVENT_COLUMNS: Final = (
    "event_id",
    "type",
    "connect_account_id",
    "object_id",
    "state",
    "received_at",
)


@dataclass
class Merchant:
    """One merchant, or the platform itself, and what it sees of its money."""

    key: str
    name: str
    account: Account | None = None
    takings: list[Takings] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        return self.key or "platform"


def connected_accounts() -> QuerySet[Account]:
    """The merchants that the mirror knows, the one that connected first at the top."""
    connected = Account.objects.alive().exclude(connect_account_id="")
    return connected.order_by("created", "stripe_id")


def merchants(accounts: Sequence[Account]) -> list[Merchant]:
    """Return `accounts`, and the platform after them, with their latest charges and what they took."""
    shown = [
        Merchant(account.connect_account_id, account.business_name or account.stripe_id, account)
        for account in accounts
    ]
    shown.append(Merchant("", "The platform"))
    by_key = {merchant.key: merchant for merchant in shown}
    for place, keys in places.places_of(list(by_key)):
        with place:
            for charge in _charges(keys):
                by_key[getattr(charge, MERCHANT)].charges.append(charge)
            for takings in Takings.objects.filter(connect_account_id__in=keys).order_by("currency"):
                by_key[takings.connect_account_id].takings.append(takings)
    for merchant in shown:
        merchant.charges.sort(key=lambda charge: (-charge.created.timestamp(), charge.stripe_id))
        del merchant.charges[CHARGES_MAX:]
    return shown


def latest_events() -> Sequence[InboxEvent]:
    """What the webhooks brought last, of all accounts: a page for those who run the platform."""
    return list(InboxEvent.objects.only(*EVENT_COLUMNS).order_by("-id")[:EVENTS_MAX])


def way(charge: Charge) -> str:
    """Say how the money went."""
    if charge.source_transfer:
        return "arrived by transfer"
    if charge.connect_account_id:
        return "direct charge"
    return "destination charge" if charge.destination else "charge of the platform"


def _charges(keys: Sequence[str]) -> QuerySet[Charge]:
    # The latest few of each: a union asks for all at once, and each part reads its own index.
    latest = [
        Charge.objects.for_merchant(account_of(key))
        .annotate(**{MERCHANT: Value(key, output_field=CharField())})
        .only(*CHARGE_COLUMNS)
        .newest_first()[:CHARGES_MAX]
        for key in keys
    ]
    return latest[0].union(*latest[1:], all=True)
