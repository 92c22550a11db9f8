"""Owns settling: where the events do not tell an object's last state, Stripe is asked, once an object."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import stripe
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now

from django_stripe import registry
from django_stripe.client import describe
from django_stripe.conf import setting
from django_stripe.database import ALIAS
from django_stripe.failure import where
from django_stripe.mirroring import mirror
from django_stripe.retrieval import is_gone, key_of, retrieve, tombstone
from django_stripe.snapshot import Key, Snapshot
from django_stripe.upsert import clock

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

logger = logging.getLogger(__name__)

TURNS_MAX: Final = 3
"""How often one asker asks again because events came in while it was waiting."""
RETRY_FIRST: Final = timedelta(minutes=1)
RETRY_MAX: Final = timedelta(days=1)


def lease() -> timedelta:
    """Return how long an asker has a row to itself: longer than all its calls with all their retries."""
    calls = TURNS_MAX * (1 + setting("STRIPE_MAX_NETWORK_RETRIES"))
    return timedelta(seconds=60 + calls * (5 + setting("STRIPE_TIMEOUT_SECONDS")))


def settle(model: type[AbstractStripeModel], key: Key, *, turns: int = TURNS_MAX) -> bool:
    """Ask Stripe for the object of `key` in its account, if its row is unsettled and nobody else is asking.

    Returns whether the row is settled now. Failures are logged, and the row is due again, each time later.
    """
    account, livemode, stripe_id = key
    rows = model.objects.using(ALIAS).filter(
        connect_account_id=account, livemode=livemode, stripe_id=stripe_id
    )
    if not rows.filter(settle_at__lte=Now()).update(settle_at=Now() + lease()):
        return not rows.filter(settle_at__isnull=False).exists()
    for _ in range(turns):
        snapshot = _ask(rows.get())
        if snapshot is None or not mirror([snapshot]).unsettled:
            break
    unsettled = rows.filter(settle_at__isnull=False)
    received_at = unsettled.values_list("received_at", flat=True).first()
    if received_at is None:
        return True
    # As long again as nothing new was heard of it.
    wait = min(max(clock() - received_at, RETRY_FIRST), RETRY_MAX)
    return not unsettled.update(settle_at=Now() + wait)


def settle_due(limit: int = 100) -> int:
    """Settle up to `limit` rows that are due, of every object; return how many were settled."""
    return settle_each(due(limit), settle)


def settle_each(
    found: Iterable[tuple[type[AbstractStripeModel], Key]],
    settle_one: Callable[[type[AbstractStripeModel], Key], bool],
) -> int:
    """Settle what was `found`, one after the other; return how many were settled. What fails is logged."""
    settled = 0
    for model, key in found:
        try:
            settled += settle_one(model, key)
        except Exception as error:  # noqa: BLE001 - it is this row's, and the others are not to wait for it
            logger.error("Could not settle %s %s: %s.", model.stripe_object, key, where(error))
    return settled


def due(limit: int) -> Iterable[tuple[type[AbstractStripeModel], Key]]:
    """Return the keys of up to `limit` rows of each object that Stripe is to be asked for now."""
    for model in registry.models_by_object().values():
        rows = model.objects.using(ALIAS).filter(settle_at__lte=Now()).order_by("settle_at")
        for key in rows.values_list("connect_account_id", "livemode", "stripe_id")[:limit]:
            yield model, key


def _ask(row: AbstractStripeModel) -> Snapshot | None:
    requested_at = clock()
    try:
        return retrieve(row)
    except stripe.InvalidRequestError as error:
        if is_gone(error):
            return tombstone(row.stripe_object, key_of(row), error, requested_at=requested_at)
        problem = describe(error)
    except stripe.StripeError as error:
        problem = describe(error)
    except ImproperlyConfigured as error:
        problem = str(error)
    logger.warning(
        "Could not settle %s %s of account %s: %s. It is asked for again later.",
        row.stripe_object,
        row.stripe_id,
        row.connect_account_id or "(platform)",
        problem,
    )
    return None
