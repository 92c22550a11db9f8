"""Owns what the shop does when Stripe tells it of something. `connect` finds this module by its name."""

from __future__ import annotations

import connect
from example_platform.shop.models import Takings


@connect.on("charge.succeeded", "payment.created")
def count_the_sale(event: connect.Event) -> None:
    """Count what came into a merchant's account: a charge of its own, or a payment that the platform sent on.

    By now the charge is mirrored. This runs in the transaction that marks the event as handled, so an event
    that is delivered three times, or whose handler failed halfway, is counted once.
    """
    if event.account is connect.PLATFORM:
        return  # What the platform passes on is counted where it arrives.
    Takings.objects.add(
        account=event.connect_account_id,
        livemode=event.livemode,
        currency=event.object["currency"],
        amount_minor=event.object["amount"],
    )
