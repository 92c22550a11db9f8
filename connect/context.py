"""Owns the account context: the account that a piece of work is about, unset until somebody says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django_stripe.platform import Account, NoAccount, PlatformLiteral, account_key, account_of

# Three states: unset (None), the platform (""), an account's id. Unset is an error, never "all".
_current: Final[ContextVar[str | None]] = ContextVar("connect_account", default=None)


@contextmanager
def account(account: Account) -> Iterator[None]:
    """Run a block, or a function it decorates, in the context of `account`: an id, a row, or ``PLATFORM``.

    Nested contexts restore the outer one. The context follows async tasks and ``sync_to_async``; a new
    thread begins without one, and a job carries its account as an argument and enters it again.
    """
    token = _current.set(account_key(account))
    try:
        yield
    finally:
        _current.reset(token)


def current_account() -> str | PlatformLiteral:
    """Return the account in whose context this runs, or ``PLATFORM``. Raises NoAccount outside of any."""
    key = _current.get()
    if key is None:
        raise NoAccount(
            "No account context is entered here. Use `with connect.account(…):`, or connect.account(connect.PLATFORM)."
        )
    return account_of(key)
