"""Two merchants and the platform, each in its schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from django_stripe.platform import PLATFORM
from tenants.provisioning import provision
from tests.tenants import rows
from tests.tenants.rows import A, B

SETTINGS = "tests.tenants.schemas.settings"
KEPT = ("django_migrations", "django_content_type", "auth_permission")

# Collected by the pytest that has the settings, see ../test_schemas.py.
collect_ignore_glob = [] if os.environ.get("DJANGO_SETTINGS_MODULE") == SETTINGS else ["test_*.py"]

OWN = {
    A: {"ch_both", "ch_a1", "ch_a2"},
    B: {"ch_both", "ch_b1", "ch_b2"},
    PLATFORM: {"ch_for_a", "ch_for_b", "ch_own"},
}


class Truth:
    """The database as it is, seen by a connection that knows of no context."""

    def __init__(self) -> None:
        asked = connection.get_connection_params()
        self.connection = psycopg.connect(
            **{k: v for k, v in asked.items() if k not in {"cursor_factory", "context"}},
            autocommit=True,
        )

    def __call__(self, statement: str, *parameters: Any) -> list[Any]:
        cursor = self.connection.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def charges(self, schema: str) -> set[str]:
        """Return the ids of the charges in `schema`."""
        return {i for (i,) in self(f'SELECT stripe_id FROM "{schema}".stripe_charge')}

    def schemas(self) -> set[str]:
        """Return the schemas of merchants."""
        return {
            name
            for (name,) in self(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'acct%' OR nspname = 'platform'"
            )
        }


@pytest.fixture(scope="session")
def migrated(django_db_setup: None, django_db_blocker: Any) -> None:
    """The shared schema, the platform's, and those of A and B."""
    with django_db_blocker.unblock():
        call_command("tenants_migrate", verbosity=0)
        for account in (A, B):
            provision(account)


@pytest.fixture
def truth(migrated: None, django_db_blocker: Any) -> Iterator[Truth]:
    """A look past all contexts; after the test all is as it was before it, but for the rows of `placed`."""
    with django_db_blocker.unblock():
        truth = Truth()
        try:
            yield truth
        finally:
            for opened in connections.all(initialized_only=True):
                opened.close()
            with truth.connection:
                _clean(truth)


@pytest.fixture
def placed(truth: Truth) -> Truth:
    """Rows of A, of B and of the platform."""
    rows.fill()
    return truth


def _clean(truth: Truth) -> None:
    for schema in truth.schemas() - {A, B, "platform"}:
        truth(f'DROP SCHEMA "{schema}" CASCADE')
    tables = truth(
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE relkind = 'r' AND (nspname LIKE 'acct%%' OR nspname IN ('public', 'platform'))"
        " AND relname <> ALL (%s)",
        [*KEPT, "tenants_merchant"],
    )
    # TRUNCATE takes a file for each table and index; these have a few rows, if any.
    deletions = (sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)) for table in tables)
    truth.connection.execute(sql.SQL("; ").join(deletions))
    truth("DELETE FROM tenants_merchant WHERE connect_account_id <> ALL (%s)", ["", A, B])
    truth("UPDATE tenants_merchant SET state = 'ready', retired_at = NULL, name = ''")
