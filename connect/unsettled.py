"""Owns settling with accounts kept apart: what is due is looked for in every place, and asked for in its account."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from connect.context import UnknownAccount, account, places
from django_stripe.failure import where
from django_stripe.platform import account_of
from django_stripe.settling import TURNS_MAX, due, settle
from django_stripe.snapshot import Key

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

logger = logging.getLogger(__name__)


def settle_in_account(
    model: type[AbstractStripeModel], key: Key, *, turns: int = TURNS_MAX
) -> bool:
    """Do what `settle` does in the context of the object's account. False too: the account cannot be entered."""
    try:
        with account(account_of(key[0])):
            return settle(model, key, turns=turns)
    except UnknownAccount:
        return False


def settle_due(limit: int = 100) -> int:
    """Settle up to `limit` rows of each object that are due, where it is this place's turn; return how many were."""
    settled = 0
    for place in places():
        try:
            with place:
                found = list(due(limit))
        except UnknownAccount:
            continue  # retired since
        for model, key in found:
            try:
                settled += settle_in_account(model, key)
            except Exception as error:  # noqa: BLE001 - it is this row's, and the others are not to wait for it
                logger.error("Could not settle %s %s: %s.", model.stripe_object, key, where(error))
    return settled
