"""Owns how the account of the context reaches the database: signed, with every statement, by every cursor.

Note on what is not remembered: the account is a comment in front of the statement, and so goes with it. Where the
statement is not all that is sent (cursors in the server), and on Citus, it is a setting, which is taken back after the
message, or gone with its transaction, and counts for nothing where there is a comment. So there is nothing that a
pooled, persistent or shared connection, a savepoint that is rolled back or an exception could leave behind for the
next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from time import time
from typing import Any, Final

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from connect.context import EVERY_ACCOUNT, EveryAccount, reach
from django_stripe.database import ALIAS, write_with
from tenants.conf import Binding, citus, isolation, owner_alias, rls_binding, rls_secrets
from tenants.cursors import Preface, preface_all, prefacing
from tenants.signature import NO_BACKEND, rls_key, signed

SETTING: Final = "connect.account"

MARK: Final = f"/*{SETTING} "
"""What a message begins with that names its account, or none."""

IN_FRONT: Final = "#"
"""What the backend has before it in a token that is good at the beginning of a message alone.

There no injected SQL comes. So it gains nothing by one that it reads, in ``pg_stat_statements`` or ``pg_cursors``,
which keep whole messages.
"""


class _NoWall(ImproperlyConfigured):
    """The site logs in as a superuser, whom PostgreSQL hides nothing from."""


def carry(connection: psycopg.Connection[Any], alias: str) -> Preface:
    """Return what gives a statement the context's account, or none.

    None is said too: a session may have been left with one. Raises _NoWall where the site would serve an account
    as a superuser.
    """
    reached = reach()
    site = _site()
    # Whoever owns the tables can take the wall down: he is there for migrations, which are about every row.
    if alias == site.owner_alias != ALIAS:
        reached = EVERY_ACCOUNT if reached is None else reached
    elif reached is not None and connection.pgconn.parameter_status(b"is_superuser") == b"on":
        raise _NoWall(
            f"The database {alias!r} is used as the superuser {connection.info.user!r}, from whom row-level "
            "security hides nothing. Log in as the role that `manage.py tenants_rls install` was told of."
        )
    backend = connection.pgconn.backend_pid if site.binding == "backend" else NO_BACKEND
    return _preface(reached, backend, int(time()))


@dataclass(frozen=True, slots=True)
class _Site:
    """What the settings say of each statement."""

    owner_alias: str
    binding: Binding
    key: bytes
    is_citus: bool


@cache
def _site() -> _Site:
    return _Site(owner_alias(), rls_binding(), rls_key(rls_secrets()[0]), citus())


@lru_cache(maxsize=1024)  # within a second it is the same
def _preface(reached: str | EveryAccount | None, backend: int | str, at_unix: int) -> Preface:
    if reached is None:
        return _said("", "", None)
    key = _site().key
    token = signed(reached, key, backend, at_unix)
    in_front = signed(reached, key, f"{IN_FRONT}{backend}", at_unix)
    return _said(token, in_front, taken_back=_said("", "", None))


def _said(token: str, in_front: str, taken_back: Preface | None) -> Preface:
    if _site().is_citus:
        # It passes on what SET says, and neither comments nor what a function does; and of two statements in a message
        # both, where it is to pass on one.
        return Preface(f"SET LOCAL {SETTING} = '{token}'", is_alone=True, taken_back=taken_back)
    # Not SET LOCAL, which pg_stat_statements before PostgreSQL 18 shows with its value.
    say = f"SELECT pg_catalog.set_config('{SETTING}', '{token}', true)"
    return Preface(say, f"{MARK}{in_front}*/\n".encode(), taken_back=taken_back)


def _forget(**kwargs: Any) -> None:
    _site.cache_clear()
    _preface.cache_clear()


# Tests change the settings.
setting_changed.connect(_forget, dispatch_uid="tenants.wall")


def wall_in(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Have every cursor of a PostgreSQL `connection` carry the account. A receiver of `connection_created`."""
    if isolation() != "rows" or connection.vendor != "postgresql" or connection.connection is None:
        return
    # Whatever is prepared has a name, under which any SQL can put another statement for whoever comes next.
    connection.connection.prepare_threshold = None
    preface_all(connection, carry)


def wall_in_all() -> None:
    """Do so with the connections that are open, and with the mirror's own cursors."""
    write_with(prefacing(psycopg.Cursor, ALIAS, carry))
    for connection in connections.all(initialized_only=True):
        wall_in(connection)
