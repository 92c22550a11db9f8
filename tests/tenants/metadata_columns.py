"""A metadata key that has a column for a while, as the owner of the tables gives it one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.db.migrations.loader import MigrationLoader

from django_stripe.metadata import AddMetadataKey
from tests.tenants.conftest import OWNER_ALIAS, Walled, databases


@contextmanager
def metadata_column(walled: Walled, key: str) -> Iterator[None]:
    """Let charges have a column of `key`, which no migration has, until the end of the block."""
    operation = AddMetadataKey("stripe_charge", "Charge", key)
    state = MigrationLoader(None).project_state([("stripe_charge", "0001_initial")])
    owner = {OWNER_ALIAS: walled.entry(walled.owner)}
    with databases(**owner), connections[OWNER_ALIAS].schema_editor() as editor:
        operation.database_forwards("shop", editor, state, state)
    yield
    with databases(**owner), connections[OWNER_ALIAS].schema_editor() as editor:
        operation.database_backwards("shop", editor, state, state)
