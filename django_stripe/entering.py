"""Owns in which context a row is asked for and written: its account's, as far as somebody keeps accounts apart."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_stripe.common.models import AbstractStripeModel

    Entry = Callable[[AbstractStripeModel], AbstractContextManager[object]]


def _nowhere(row: AbstractStripeModel) -> AbstractContextManager[object]:
    return nullcontext()


_entry: list[Any] = [_nowhere]


def enter_rows_with(entry: Entry) -> None:
    """Have the account of a row entered like this, from now on."""
    _entry[:] = [entry]


def entered(row: AbstractStripeModel) -> AbstractContextManager[object]:
    """Return the context to ask Stripe for `row` in, and to write the answer."""
    context: AbstractContextManager[object] = _entry[0](row)
    return context
