"""Owns settling: where the events do not tell an object's last state, Stripe is asked, once an object."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import stripe
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now

from django_stripe import registry
from django_stripe.client import describe
from django_stripe.mirroring import mirror
from django_stripe.retrieval import retrieve, tombstone
from django_stripe.snapshot import Key, Snapshot
from django_stripe.upsert import clock

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=3)
"""How long an asker has the row to itself; longer than a call with all its retries."""
RETRY: Final = timedelta(minutes=1)
TURNS_MAX: Final = 3
"""How often one asker asks again because events came in while it was waiting."""


def settle(model: type[AbstractStripeModel], key: Key) -> bool:
    """Ask Stripe for the object of `key` in its account, if its row is unsettled and nobody else is asking.

    Returns whether the row is settled now. Failures are logged, and the row stays due.
    """
    account, livemode, stripe_id = key
    rows = model.objects.filter(connect_account_id=account, livemode=livemode, stripe_id=stripe_id)
    if not rows.filter(settle_at__lte=Now()).update(settle_at=Now() + LEASE):
        return not rows.filter(settle_at__isnull=False).exists()
    for _ in range(TURNS_MAX):
        snapshot = _ask(rows.get())
        if snapshot is None or not mirror([snapshot]).unsettled:
            break
    unsettled = rows.filter(settle_at__isnull=False)
    return not unsettled.update(settle_at=Now() + RETRY)


def settle_due(limit: int = 100) -> int:
    """Settle up to `limit` rows that are due, of every object; return how many were settled."""
    return sum(settle(model, key) for model, key in _due(limit))


def _due(limit: int) -> Iterable[tuple[type[AbstractStripeModel], Key]]:
    for model in registry.models_by_object().values():
        due = model.objects.filter(settle_at__lte=Now()).order_by("settle_at")
        for key in due.values_list("connect_account_id", "livemode", "stripe_id")[:limit]:
            yield model, key


def _ask(row: AbstractStripeModel) -> Snapshot | None:
    requested_at = clock()
    try:
        return retrieve(row)
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            return tombstone(row, error, requested_at=requested_at)
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
