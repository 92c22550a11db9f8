"""Owns bringing schemas up to date: which of them are, and one after the other the ones that are not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from django.core.management import call_command
from django.db import transaction
from django.db.migrations.loader import MigrationLoader
from django_tenants.utils import get_public_schema_name
from psycopg import sql

from connect.context import every_account
from django_stripe.database import ALIAS, connection
from django_stripe.failure import where
from tenants.conf import tenant_labels
from tenants.ownership import check_rows, unchecked_tables
from tenants.schemas import left_to_django_tenants

logger = logging.getLogger(__name__)

SCHEMAS: Final = """
SELECT schema_name FROM tenants_merchant JOIN pg_namespace ON nspname = schema_name
WHERE %s::text[] IS NULL OR schema_name = ANY(%s) ORDER BY connect_account_id
"""

Migration = tuple[str, str]


@dataclass(slots=True)
class Report:
    """What became of the schemas."""

    total: int = 0
    migrated: list[str] = field(default_factory=list)
    current: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """The name of a schema → the type of what went wrong with it, which is logged."""

    @property
    def done(self) -> int:
        return len(self.migrated) + self.current + len(self.failed)


class Wanted:
    """The migrations of the apps that every merchant has tables of. The shared apps' do nothing in a schema."""

    def __init__(self) -> None:
        labels = tenant_labels()
        on_disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
        self._wanted = {key: each for key, each in on_disk.items() if key[0] in labels}
        self._squashed_by = {
            cast("Migration", tuple(replaced)): key
            for key, each in self._wanted.items()
            for replaced in each.replaces
        }

    def are_in(self, schema: str) -> bool:
        """Say whether `schema` has them all, and refuses foreign rows in each table."""
        applied = _applied(schema)
        return all(self._is_applied(key, applied) for key in self._wanted) and not unchecked_tables(
            schema
        )

    def _is_applied(self, key: Migration, applied: set[Migration]) -> bool:
        replaces = {tuple(replaced) for replaced in self._wanted[key].replaces}
        return (
            key in applied
            or self._squashed_by.get(key) in applied
            or (bool(replaces) and replaces <= applied)
        )


def migrate_shared() -> None:
    """Migrate the shared schema, which has the map of merchants."""
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)


def migrate_schema(schema: str) -> None:
    """Migrate one merchant's schema, which is there, and have it refuse foreign rows."""
    try:
        with left_to_django_tenants():
            # Not by the executor of the settings: it may be one of other processes.
            call_command(
                "migrate_schemas",
                tenant=True,
                schema_name=schema,
                executor="standard",
                interactive=False,
                verbosity=0,
            )
            check_rows(schema)
    finally:
        # Where a migration fails, django-tenants leaves its connection in that schema.
        connection().set_schema_to_public()  # type: ignore[attr-defined]


def migrate_schemas(
    only: Iterable[str] | None = None, tell: Callable[[int, int], object] = lambda done, total: None
) -> Report:
    """Migrate all merchants' schemas, or `only` these, that are not current; whatever fails is that one's alone."""
    wanted = Wanted()
    asked = None if only is None else list(only)
    schemas = list(_schemas(asked))
    report = Report(total=len(schemas))
    for schema in set(asked or ()) - set(schemas):
        report.failed[schema] = "There is no such schema: provision the merchant."
    for schema in schemas:
        tell(report.done, report.total)
        try:
            if wanted.are_in(schema):
                report.current += 1
                continue
            migrate_schema(schema)
        except Exception as error:  # noqa: BLE001 - the next one is not to wait for it
            logger.error("Schema %s could not be migrated: %s", schema, where(error))
            report.failed[schema] = f"{type(error).__name__}: {error}".splitlines()[0]
            connection().close()
        else:
            report.migrated.append(schema)
    return report


def make_schema(schema: str) -> None:
    """Make a merchant's schema, with everything in it, in the caller's transaction; or bring up what is there."""
    with connection().cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    migrate_schema(schema)


def drop_schema(schema: str) -> None:
    """Drop a merchant's schema and all that is in it."""
    if schema == get_public_schema_name():
        raise ValueError("The shared schema is no merchant's.")
    with connection().cursor() as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _schemas(only: list[str] | None) -> Iterator[str]:
    with every_account(), connection().cursor() as cursor:
        cursor.execute(SCHEMAS, [only, only])
        yield from [name for (name,) in cursor.fetchall()]


def _applied(schema: str) -> set[Migration]:
    table = sql.Identifier(schema, "django_migrations")
    with transaction.atomic(ALIAS), connection().cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [table.as_string()])
        if cursor.fetchone() == (None,):
            return set()
        cursor.execute(sql.SQL("SELECT app, name FROM {}").format(table))
        return {(app, name) for app, name in cursor.fetchall()}
