"""Owns settling with accounts kept apart: what is due is looked for in every place, and asked for in its account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connect.context import UnknownAccount, account, places
from django_stripe.platform import account_of
from django_stripe.settling import TURNS_MAX, due, settle, settle_each
from django_stripe.snapshot import Key

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel


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
        settled += settle_each(found, settle_in_account)
    return settled
