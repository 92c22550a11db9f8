"""Owns what row-level security is to say: which tables have an account, and who sees and writes which rows of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.apps import apps
from django.db import connections, models, router

from django_stripe.database import ALIAS
from django_stripe.platform import PLATFORM
from tenants.conf import citus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COLUMN: Final = "connect_account_id"
SCHEMA: Final = "tenants_rls"

# PostgreSQL evaluates a sub-select once a statement, and only when it comes to it. The policy is a filter and no index
# condition: the index is chosen by the account that every query names, and an alternative beside it (`… OR …`) would
# have the planner walk the indexes of both.
REACHED: Final = f"(SELECT {SCHEMA}.account())"

# Citus refuses policies with a sub-select. So the signature is checked for each row that a statement looks at.
REACHED_ON_CITUS: Final = f"{SCHEMA}.account()"

EVERY: Final = "'*'"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of a table, as it is written."""

    name: str
    command: str
    using: str = ""
    check: str = ""

    def fingerprint(self) -> str:
        return fingerprint(f"{self.command} {self.using} {self.check}")


@dataclass(frozen=True, slots=True)
class AccountTable:
    """A table whose rows have an account: its policies, and the columns that the serving role may write."""

    model: type[models.Model]

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @property
    def quoted(self) -> str:
        return quoted(self.name)

    @property
    def written(self) -> list[str]:
        """Every column but a counted key: a key that is taken would tell that another's row is there.

        On Citus the coordinator counts and writes it, and it is taken within an account only.
        """
        return [
            str(field.column)
            for field in self.model._meta.local_concrete_fields
            if not field.generated
            and (citus() or not (field.primary_key and isinstance(field, models.AutoField)))
        ]

    def column_of(self, field: str) -> str:
        return {f.name: str(f.column) for f in self.model._meta.concrete_fields}[field]

    def policies(self) -> list[Policy]:
        own = _reaches(COLUMN)
        # What a merchant would call theirs, `for_merchant`: they see it, and do not write it.
        named = [
            f"CASE WHEN {COLUMN} = '{PLATFORM.value}' THEN {quoted(self.column_of(field))} END"
            for field in getattr(self.model, "merchant_fields", ())
        ]
        return [
            Policy("connect_select", "SELECT", using=_reaches(COLUMN, *named)),
            Policy("connect_insert", "INSERT", check=own),
            Policy("connect_update", "UPDATE", using=own, check=own),
            Policy("connect_delete", "DELETE", using=own),
        ]


def _reaches(*accounts: str) -> str:
    """Return the condition that a statement reaches the rows of one of `accounts`, expressions of SQL.

    Either true or unknown, never false. Of what IS NOT UNKNOWN the planner expects nearly all rows. So it plans as if
    there were no policy, by the account that the query names; expecting few rows, it would sort what it could read in
    order. A row of the first account is told by a bare equality: in the CASE of the others it takes a third longer.
    """
    if citus():
        # Asked for each row, so once: what follows would ask twice about rows of others.
        return f"{_is_one_of(accounts, REACHED_ON_CITUS)} IS NOT UNKNOWN"
    first, *others = accounts
    return f"CASE WHEN {first} = {REACHED} THEN true ELSE {_is_one_of(others, REACHED)} END IS NOT UNKNOWN"


def _is_one_of(accounts: Iterable[str], reached: str) -> str:
    found = " ".join(f"WHEN {account} THEN true" for account in [*accounts, EVERY])
    return f"CASE {reached} {found} END"


def account_tables() -> list[AccountTable]:
    """Return every installed table with a `connect_account_id`: mirror, inbox, cursors, and the project's own."""
    tables = (
        AccountTable(model)
        for model in _stored_models()
        if any(field.column == COLUMN for field in model._meta.local_concrete_fields)
    )
    return sorted(tables, key=lambda table: table.name)


def other_tables() -> list[str]:
    """Return the installed tables without an account."""
    walled = {table.name for table in account_tables()}
    return sorted({model._meta.db_table for model in _stored_models()} - walled)


def fingerprint(text: str) -> str:
    """Return a short name of `text`, to tell whether what is installed is what would be."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def quoted(name: str) -> str:
    """Return `name` as an identifier of SQL."""
    return connections[ALIAS].ops.quote_name(name)


def _stored_models() -> Iterator[type[models.Model]]:
    for model in apps.get_models(include_auto_created=True):
        options = model._meta
        is_ours = options.managed and not options.proxy and not options.swapped
        if is_ours and router.allow_migrate_model(ALIAS, model):
            yield model
