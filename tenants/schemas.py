"""Owns how the account of the context reaches the database: as the schema that every statement looks in.

Note on what is not remembered: as with the wall of row-level security, the path is sent with each statement, in the
same message where there is one, and ends with its transaction. django-tenants remembers on the connection what it has
set; that holds where no context is entered (migrations, its own commands), and is overruled where one is. So nothing
that is left on a connection, by an exception, a pool or a thread, decides whose rows are read.

Note on what falls back on what: a merchant's path is its own schema, then the shared one, which has no table of an
object. A table that is missing, a schema that is dropped, and work outside of any context end in PostgreSQL's
"relation does not exist", and never in somebody else's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import psycopg
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django_tenants.signals import schema_migrated
from django_tenants.utils import get_public_schema_name, quote_schema_name
from psycopg.pq import TransactionStatus

from connect.context import EVERY_ACCOUNT, enter_with, look_in, reach, share_rows
from django_stripe.database import ALIAS, write_with
from tenants.conf import citus, isolation, tenant_labels
from tenants.cursors import Preface, preface_all, prefacing
from tenants.names import schema_of
from tenants.ownership import check_rows_after_migration
from tenants.places import Turns, require

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

_left_to_django_tenants: Final[ContextVar[bool]] = ContextVar("tenants_left", default=False)

# Connections on which a path of ours may still hold: until the transaction ends that it was set in.
_set_on: Final[WeakSet[psycopg.Connection[Any]]] = WeakSet()


@contextmanager
def enter(key: str) -> Iterator[None]:
    """What an account context is entered with. Raises UnknownAccount for one that is no merchant, or retired."""
    require(key)
    yield


def is_shared(row: AbstractStripeModel) -> bool:
    """Say whether `row` is in the shared schema, as an account is, which is there before it is a merchant."""
    return row._meta.app_label not in tenant_labels()


@contextmanager
def left_to_django_tenants() -> Iterator[None]:
    """Have the block's statements look where django-tenants says, whatever context is entered: to make schemas."""
    token = _left_to_django_tenants.set(True)
    try:
        yield
    finally:
        _left_to_django_tenants.reset(token)


def path_to_set(connection: psycopg.Connection[Any], alias: str) -> Preface:
    """Return what has the rest of a transaction look in the context's schema; nothing: as it is."""
    reached = None if _left_to_django_tenants.get() else reach()
    if reached is None:
        # Only where the same transaction was in a context before.
        if connection.info.transaction_status == TransactionStatus.IDLE:
            _set_on.discard(connection)
        return _path(_of_django_tenants(alias)) if connection in _set_on else Preface("")
    _set_on.add(connection)
    own = [] if reached is EVERY_ACCOUNT else [schema_of(reached)]
    return _path([*own, get_public_schema_name()])


def place(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Have every cursor of `connection` look in the context's schema. A receiver of `connection_created`."""
    if isolation() != "schemas" or connection.alias != ALIAS or connection.connection is None:
        return
    preface_all(connection, path_to_set)


def install() -> None:
    """Have every account context be its schema, from now on."""
    enter_with(enter)
    look_in(Turns())
    share_rows(is_shared)
    connection_created.connect(place, dispatch_uid="tenants.schemas")
    schema_migrated.connect(check_rows_after_migration, dispatch_uid="tenants.ownership")
    write_with(prefacing(psycopg.Cursor, ALIAS, path_to_set))
    for connection in connections.all(initialized_only=True):
        place(connection)


def _of_django_tenants(alias: str) -> list[str]:
    """Return where django-tenants has this thread's connection look."""
    wrapper: Any = connections[alias]
    shared = get_public_schema_name()
    if wrapper.schema_name == shared:
        return [shared]
    return [wrapper.schema_name, *([shared] if wrapper.include_public_schema else [])]


def _path(schemas: list[str]) -> Preface:
    names = [*schemas, *getattr(settings, "PG_EXTRA_SEARCH_PATHS", [])]
    # Of two statements in a message Citus passes on both, where it is to pass on one.
    path = ", ".join(map(quote_schema_name, names))
    return Preface(f"SET LOCAL search_path = {path}", is_alone=citus())
