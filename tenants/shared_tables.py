"""Owns that tables of objects come to be in the shared schema, where rows need them, and go, where schemas do not.

Note on the records: django-tenants notes in the shared schema that a merchant's migrations are applied there, and
makes no table; `migrate` then finds nothing to do. So the records of apps without tables are taken back, and these are
migrated. The other way round, tables go and records stay, as where there have been schemas from the beginning.
A platform's own app, which is applied and stays so, may have given these tables columns: they are given them again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connections, models, router, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from connect.context import every_account
from django_stripe.database import ALIAS
from django_stripe.metadata import AddMetadataKey
from tenants.conf import tenant_labels
from tenants.movable import SHARED_SCHEMA, Unmovable, account_tables_in, other_tables_in
from tenants.reaching import filled, lock


@dataclass(frozen=True, slots=True)
class Tables:
    """What the shared schema has of the tables of ``TENANT_APPS``."""

    of_accounts: list[str]
    others: list[str]
    """Their rows do not say whose they are."""


def tenant_tables(cursor: Any) -> Tables:
    """Return the tables of ``TENANT_APPS`` in the shared schema: what is left there of rows."""
    labels = tenant_labels()
    names = {model._meta.db_table for model in _stored() if model._meta.app_label in labels}
    return Tables(
        [name for name in account_tables_in(cursor, SHARED_SCHEMA) if name in names],
        [name for name in other_tables_in(cursor, SHARED_SCHEMA) if name in names],
    )


def make_missing(alias: str) -> list[str]:
    """Make the tables that the shared schema lacks; return the labels of their apps. Raises Unmovable."""
    with every_account(), transaction.atomic(alias):
        with connections[alias].cursor() as cursor:
            there = {
                *account_tables_in(cursor, SHARED_SCHEMA),
                *other_tables_in(cursor, SHARED_SCHEMA),
            }
        ours = [model for model in _stored() if router.allow_migrate_model(alias, model)]
        missing = _labels(model for model in ours if model._meta.db_table not in there)
        _refuse_halves(missing, [model for model in ours if model._meta.db_table in there])
        records = MigrationRecorder(connections[alias]).migration_qs
        records.filter(app__in=missing).delete()
        executor = MigrationExecutor(connections[alias])
        executor.migrate(
            [node for node in executor.loader.graph.leaf_nodes() if node[0] in missing]
        )
        _add_metadata_keys(alias, missing)
    return missing


def drop_empty() -> tuple[list[str], list[str]]:
    """Drop the tables of ``TENANT_APPS`` that the shared schema has no rows in; return these, and those that it has."""
    with every_account(), transaction.atomic(ALIAS), connections[ALIAS].cursor() as cursor:
        tables = tenant_tables(cursor)
        names = sorted([*tables.of_accounts, *tables.others])
        if not names:
            return [], []
        lock(cursor, ("ACCESS EXCLUSIVE", [sql.Identifier(SHARED_SCHEMA, name) for name in names]))
        kept = filled(cursor, SHARED_SCHEMA, names)
        empty = [name for name in names if name not in kept]
        if empty:
            # Django's foreign keys among them go with them; whatever else refers to one stops this.
            listed = sql.SQL(", ").join(sql.Identifier(SHARED_SCHEMA, name) for name in empty)
            cursor.execute(sql.SQL("DROP TABLE {}").format(listed))
        return empty, kept


def _add_metadata_keys(alias: str, made: list[str]) -> None:
    """Give the tables of the apps `made` the columns of metadata keys, whose migrations other apps have applied."""
    loader = MigrationLoader(connections[alias])
    state = loader.project_state()
    with connections[alias].schema_editor() as editor:
        for (label, name), migration in loader.graph.nodes.items():
            if label in made or (label, name) not in loader.applied_migrations:
                continue
            for operation in migration.operations:
                if isinstance(operation, AddMetadataKey) and operation.object_app in made:
                    operation.database_forwards(label, editor, state, state)


def _refuse_halves(missing: list[str], there: Iterable[type[models.Model]]) -> None:
    for model in there:
        if model._meta.app_label in missing:
            raise Unmovable(
                f"The shared schema has {model._meta.db_table} and lacks other tables of its app. Run manage.py "
                "migrate, or drop it if it is empty."
            )


def _labels(found: Iterable[type[models.Model]]) -> list[str]:
    return sorted({model._meta.app_label for model in found})


def _stored() -> Iterator[type[models.Model]]:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped:
            yield model
