"""Owns how the account of the context reaches the database: signed, with every statement, by every cursor.

Note on what is not remembered: the account is sent with each statement, in the same message where there is one,
and is gone at the end of its transaction. So there is nothing that a pooled, persistent or shared connection,
a savepoint that is rolled back or an exception could leave behind for the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from connect.context import EVERY_ACCOUNT, EveryAccount, reach
from django_stripe.database import ALIAS, write_with
from tenants.conf import Binding, citus, isolation, owner_alias, rls_binding, rls_secrets
from tenants.cursors import preface_declared, prefacing
from tenants.signature import NO_BACKEND, rls_key, signed, unsigned

SETTING: Final = "connect.account"


class _NoWall(ImproperlyConfigured):
    """The site logs in as a superuser, whom PostgreSQL hides nothing from."""


def carry(connection: psycopg.Connection[Any], alias: str) -> str:
    """Return the SQL that gives the rest of its transaction the context's account, or none.

    None is said too: a session may have been left with one. Raises _NoWall where the site would serve an account
    as a superuser.
    """
    reached = reach()
    # Whoever owns the tables can take the wall down: he is there for migrations, which are about every row.
    site = _site()
    is_owner = alias == site.owner_alias != ALIAS
    if reached is None and is_owner:
        reached = EVERY_ACCOUNT
    token = ""
    if reached is not None:
        if connection.info.parameter_status("is_superuser") == "on" and not is_owner:
            raise _NoWall(
                f"The database {alias!r} is used as the superuser {connection.info.user!r}, from whom row-level "
                "security hides nothing. Log in as the role that `manage.py tenants_rls install` was told of."
            )
        token = _token(reached, connection, site)
    if site.is_citus:
        # It passes on what SET says, and not what a function does.
        return f"SET LOCAL {SETTING} = '{token}'"
    # Not SET LOCAL, which pg_stat_statements before PostgreSQL 18 shows with its value.
    return f"SELECT pg_catalog.set_config('{SETTING}', '{token}', true)"


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


# Tests change them.
setting_changed.connect(lambda **_: _site.cache_clear(), weak=False, dispatch_uid="tenants.wall")


def _token(reached: str | EveryAccount, connection: psycopg.Connection[Any], site: _Site) -> str:
    if site.binding == "unsigned":
        return unsigned(reached)
    backend = connection.info.backend_pid if site.binding == "backend" else NO_BACKEND
    return signed(reached, site.key, backend)


_carry_with_declared: Final = preface_declared(carry)


def wall_in(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Have every cursor of a PostgreSQL `connection` carry the account. A receiver of `connection_created`."""
    if isolation() != "rows" or connection.vendor != "postgresql" or connection.connection is None:
        return
    raw = connection.connection
    raw.cursor_factory = prefacing(raw.cursor_factory, connection.alias, carry)
    raw.server_cursor_factory = prefacing(raw.server_cursor_factory, connection.alias, carry)
    if _carry_with_declared not in connection.execute_wrappers:
        connection.execute_wrappers.append(_carry_with_declared)


def wall_in_all() -> None:
    """Do so with the connections that are open, and with the mirror's own cursors."""
    write_with(prefacing(psycopg.Cursor, ALIAS, carry))
    for connection in connections.all(initialized_only=True):
        wall_in(connection)
