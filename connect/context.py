"""Owns the account context: the account that a piece of work is about, unset until somebody says."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal

from django_stripe.platform import Account, NoAccount, PlatformLiteral, account_key, account_of

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel


class Reach(enum.Enum):
    """What work reaches that is about no single account, and says so. Say ``EVERY_ACCOUNT``."""

    EVERY_ACCOUNT = "*"


EVERY_ACCOUNT: Final = Reach.EVERY_ACCOUNT
EveryAccount = Literal[Reach.EVERY_ACCOUNT]

# Unset (None), the platform (""), an account's id; or every account, said in so many words. Unset is an error,
# never "all".
_current: Final[ContextVar[str | EveryAccount | None]] = ContextVar("connect_account", default=None)

Entry = Callable[[str], AbstractContextManager[object]]
"""Given the key of an account (``""``: the platform), what its context is entered with."""

_entries: list[Entry] = []

Places = Callable[[], Iterable[AbstractContextManager[object]]]
"""Returns the contexts in which rows of every account are found: now, or in turns."""

_places: list[Places] = []

_is_shared: list[Callable[[AbstractStripeModel], bool]] = []


class UnknownAccount(LookupError):
    """This account cannot be entered: there is no place for its rows. An event of it is parked."""


def enter_with(entry: Entry) -> None:
    """Have every account context entered with `entry` too, from now on: how `tenants` keeps accounts apart."""
    if entry not in _entries:
        _entries.append(entry)


def has_entries() -> bool:
    """Say whether an account is entered with anything, so that one cannot be written from another's context."""
    return bool(_entries)


def look_in(look_for: Places) -> None:
    """Have what is due of every account looked for in these contexts, where no single one shows all rows."""
    _places[:] = [look_for]


def places() -> Iterable[AbstractContextManager[object]]:
    """Return the contexts to look in for what is due; see `look_in`. Each may raise UnknownAccount when entered."""
    return _places[0]() if _places else [every_account()]


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


@contextmanager
def every_account() -> Iterator[None]:
    """Run a block over the rows of every account: what is due, what is listed for staff, what is delivered.

    It is about no account: ``current_account()`` raises in it, and so does a call to Stripe that names none. Only
    row-level security makes a difference of it: elsewhere every query already reaches every row. Enter the account
    again (``connect.account``) for what is done about one, and for whatever runs other people's code.
    """
    token = _current.set(EVERY_ACCOUNT)
    try:
        yield
    finally:
        _current.reset(token)


def share_rows(is_shared: Callable[[AbstractStripeModel], bool]) -> None:
    """Have rows left where they are that are not kept with their account, and may be there before it is one."""
    _is_shared[:] = [is_shared]


def of_row(row: AbstractStripeModel) -> AbstractContextManager[object]:
    """Return the context of the account of `row`, unless this already runs in that of one, or has no need to."""
    if current_key() is not None or any(is_shared(row) for is_shared in _is_shared):
        return nullcontext()
    return account(account_of(row.connect_account_id))


def reach() -> str | EveryAccount | None:
    """Return the key of the account whose rows this may reach, ``EVERY_ACCOUNT``, or None: no row at all."""
    return _current.get()


def current_key() -> str | None:
    """Return the key of the account in whose context this runs (``""``: the platform), or None outside of any."""
    key = _current.get()
    return key if isinstance(key, str) else None


def current_account() -> str | PlatformLiteral:
    """Return the account in whose context this runs, or ``PLATFORM``. Raises NoAccount outside of any."""
    key = current_key()
    if key is None:
        raise NoAccount(
            "No account context is entered here. Use `with connect.account(…):`, or connect.account(connect.PLATFORM)."
        )
    return account_of(key)
