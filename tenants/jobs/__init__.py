"""Owns how a job is about the account that it was enqueued in: it carries it, and enters it where it runs.

`tenants.jobs.celery` does so for every task of a base class, `tenants.jobs.django_tasks` for tasks that say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from connect.context import EVERY_ACCOUNT, account, every_account, reach
from django_stripe.platform import account_of

CARRIED: Final = "connect_account"
"""The name that it travels under."""


class UnknownReach(ValueError):
    """A job carries what no context is: it was enqueued by something else than this. Nobody catches it."""


def captured() -> str | None:
    """Return this context for a job to carry: plain text that any broker takes, or None outside of any."""
    reached = reach()
    return reached.value if reached is EVERY_ACCOUNT else reached


@contextmanager
def entered(carried: object) -> Iterator[None]:
    """Enter what `captured` returned. Raises UnknownAccount if that merchant is gone, UnknownReach for what is none."""
    if carried is not None and not isinstance(carried, str):
        raise UnknownReach(
            f"A job carries a {type(carried).__name__} as its account. Enqueue it with the means of tenants.jobs."
        )
    context: AbstractContextManager[None]
    if carried is None:
        context = nullcontext()
    elif carried == EVERY_ACCOUNT.value:
        context = every_account()
    else:
        context = account(account_of(carried))
    with context:
        yield
