"""Owns how the shop's database is made ready, and where its rows are, in each way of keeping merchants apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from django.core.management import call_command
from django.db.models import Model, QuerySet

import connect
from connect import PLATFORM
from connect.context import every_account
from django_stripe.platform import account_key, account_of
from tenants.conf import isolation, owner_alias, tenant_labels
from tenants.places import ready_accounts

Row = TypeVar("Row", bound=Model)


def prepare() -> None:
    """Bring the database up to date, as a deployment of each way would."""
    if isolation() == "rows":
        call_command("migrate", database=owner_alias(), verbosity=0)
        call_command("tenants_rls", "install", verbosity=0)
    elif isolation() == "schemas":
        call_command("tenants_migrate", verbosity=0)
    else:
        call_command("migrate", verbosity=0)


def provision_connected() -> None:
    """Give merchants that have connected since a place: what a scheduler would do, or a job at once."""
    if isolation() == "schemas":
        call_command("tenants_provision", missing=True, verbosity=0)


def places_of(keys: Sequence[str]) -> list[tuple[AbstractContextManager[None], Sequence[str]]]:
    """Return the contexts in which the rows are that these merchants see, and whose are in each."""
    if isolation() != "schemas":
        return [(every_account(), keys)]
    ready = {account_key(each) for each in ready_accounts()}
    own = [(connect.account(account_of(key)), [key]) for key in keys if key in ready - {""}]
    # What names a merchant and is not in its account is the platform's.
    return [*own, (connect.account(PLATFORM), keys)]


def rows_everywhere(rows: QuerySet[Row]) -> list[Row]:
    """Return the rows of this query, of every account."""
    found: list[Row] = []
    for context in _places() if has_places(rows.model) else [every_account()]:
        with context:
            found += rows.all()
    return found


def has_places(model: type[Model]) -> bool:
    """Say whether each merchant has a table of this model."""
    return model._meta.app_label in tenant_labels()


def _places() -> Iterator[AbstractContextManager[None]]:
    with every_account():
        accounts = list(ready_accounts())
    return map(connect.account, accounts)
