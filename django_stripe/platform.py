"""Owns the tenancy key: which account a row, a request or an event belongs to."""

from __future__ import annotations

import enum
from typing import Final, Literal, Protocol


class Platform(enum.Enum):
    """The platform itself, as opposed to one of its connected accounts. Say ``PLATFORM``."""

    PLATFORM = ""

    def __repr__(self) -> str:
        return "PLATFORM"


PLATFORM: Final = Platform.PLATFORM


class HasAccount(Protocol):
    """A row of the mirror, a tenant, anything that carries its account."""

    @property
    def connect_account_id(self) -> str: ...


PlatformLiteral = Literal[Platform.PLATFORM]
Account = str | PlatformLiteral | HasAccount


class NoAccount(ValueError):
    """No account was named where one is needed. Name one, or say ``PLATFORM``; nothing means "all"."""


def account_key(account: Account) -> str:
    """Return the value of ``connect_account_id`` that `account` stands for.

    `account` is an account id (``"acct_…"``), ``PLATFORM``, or whatever has a `connect_account_id` (an
    ``Account`` row, a tenant). The platform's own key is ``""``: NULLs would be distinct in a unique index.

    Raises NoAccount for ``None`` and for the empty string, which in most programs is a forgotten value.
    """
    if account is PLATFORM:
        return ""
    if isinstance(account, str):
        if account:
            return account
        raise NoAccount("An empty account id names no account. Pass an id (acct_…) or PLATFORM.")
    key = getattr(account, "connect_account_id", None)
    # A tenant that has no account yet is not the platform; a row of the mirror with a blank one is the platform's.
    if not isinstance(key, str) or not (
        key or getattr(account, "blank_account_is_platform", False)
    ):
        raise NoAccount(
            f"{account!r} names no account. Pass an id (acct_…), a row of it, or PLATFORM."
        )
    return key


def account_of(key: str) -> str | PlatformLiteral:
    """Return the account that the value `key` of ``connect_account_id`` stands for."""
    return key or PLATFORM
