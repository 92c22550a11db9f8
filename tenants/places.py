"""Owns where an account's rows are: whether it is a merchant, which one, and all of them in turn.

Note on the look-up: one query over the unique index whenever a context is entered, and no cache. A merchant that
another process has just provisioned or retired is so here at once, with nothing to invalidate; among 100,000 merchants
the query takes what it takes among ten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final

from connect.context import UnknownAccount, account, every_account
from django_stripe.database import connection
from django_stripe.platform import PlatformLiteral, account_of
from tenants.names import UnsafeName, schema_of

FIND: Final = "SELECT state FROM tenants_merchant WHERE connect_account_id = %s"

# By the key, not by an offset: merchants come and go meanwhile.
FOLLOWING: Final = """
SELECT connect_account_id FROM tenants_merchant
WHERE state = 'ready' AND connect_account_id > %s ORDER BY connect_account_id LIMIT %s
"""

PAGE: Final = 500
IN_TURN: Final = 20
"""How many merchants a worker looks at for what is due before it goes back to its lanes."""


def require(key: str) -> None:
    """Raise UnknownAccount if the account `key` cannot be entered, and say what to do.

    In an event loop, where nothing may wait for a database, it is not asked: the statements of an account that is no
    merchant then find no table.
    """
    try:
        schema_of(key)
    except UnsafeName as problem:
        raise UnknownAccount(str(problem)) from None
    if _is_in_event_loop():
        return
    state = find_state(key)
    if state != "ready":
        name = key or "the platform"
        remedy = "manage.py tenants_migrate" if not key else f"manage.py tenants_provision {key}"
        raise UnknownAccount(
            f"There is no merchant for {name}: {state or 'never provisioned'}. Run {remedy}."
        )


def find_state(key: str) -> str | None:
    """Return the state of the merchant of the account `key`; None: there is none."""
    with connection().cursor() as cursor:
        cursor.execute(FIND, [key])
        row = cursor.fetchone()
    return row[0] if row else None


def ready_accounts(after: str | None = None) -> Iterator[str | PlatformLiteral]:
    """Return the accounts of all merchants that are ready, the platform first; or those after the key `after`."""
    if after is None and find_state("") == "ready":
        yield account_of("")
    after = after or ""
    while keys := _following(after, PAGE):
        yield from keys
        after = keys[-1]


class Turns:
    """All places, a few at a time: what is due in the others is looked for in the next turns."""

    def __init__(self) -> None:
        self._after = ""

    def __call__(self) -> Iterator[AbstractContextManager[None]]:
        """Return the contexts of the platform, and of the merchants whose turn it is."""
        with every_account():
            keys = _following(self._after, IN_TURN)
            of_platform = [""] if find_state("") == "ready" else []
        self._after = keys[-1] if len(keys) == IN_TURN else ""
        return (account(account_of(key)) for key in [*of_platform, *keys])


def _following(after: str, limit: int) -> list[str]:
    with connection().cursor() as cursor:
        cursor.execute(FOLLOWING, [after, limit])
        return [key for (key,) in cursor.fetchall()]


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
