"""Owns the account context: the account that a piece of work is about, unset until somebody says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Final

from django_stripe.platform import Account, NoAccount, PlatformLiteral, account_key, account_of

# Three states: unset (None), the platform (""), an account's id. Unset is an error, never "all".
_current: Final[ContextVar[str | None]] = ContextVar("connect_account", default=None)

Entry = Callable[[str], AbstractContextManager[object]]
"""Given the key of an account (``""``: the platform), what its context is entered with."""

_entries: list[Entry] = []


class UnknownAccount(LookupError):
    """This account cannot be entered: there is no place for its rows. An event of it is parked."""


def enter_with(entry: Entry) -> None:
    """Have every account context entered with `entry` too, from now on: how `tenants` keeps accounts apart."""
    if entry not in _entries:
        _entries.append(entry)


@contextmanager
def account(account: Account) -> Iterator[None]:
    """Run a block, or a function it decorates, in the context of `account`: an id, a row, or ``PLATFORM``.

    Nested contexts restore the outer one. The context follows async tasks and ``sync_to_async``; a new
    thread begins without one, and a job carries its account as an argument and enters it again. Raises
    UnknownAccount where merchants are tenants and this one is none.
    """
    key = account_key(account)
    token = _current.set(key)
    try:
        with ExitStack() as entered:
            for entry in _entries:
                entered.enter_context(entry(key))
            yield
    finally:
        _current.reset(token)


def current_key() -> str | None:
    """Return the key of the account in whose context this runs (``""``: the platform), or None outside of any."""
    return _current.get()


def current_account() -> str | PlatformLiteral:
    """Return the account in whose context this runs, or ``PLATFORM``. Raises NoAccount outside of any."""
    key = _current.get()
    if key is None:
        raise NoAccount(
            "No account context is entered here. Use `with connect.account(…):`, or connect.account(connect.PLATFORM)."
        )
    return account_of(key)
