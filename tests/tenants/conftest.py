"""A database with three roles, as in production: one owns the tables, one serves the site, one may do anything."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import override_settings
from psycopg.conninfo import make_conninfo

from django_stripe.database import ALIAS, write_with
from tenants.wall import wall_in_all
from tests.tenants import rows

OWNER_ALIAS = "owner"


@dataclass(frozen=True)
class Walled:
    """The database, and the names of its roles."""

    name: str
    owner: str
    role: str
    password: str
    superuser: dict[str, Any]

    @property
    def url(self) -> str:
        """As the superuser."""
        asked = self.superuser
        return make_conninfo(
            dbname=self.name,
            user=asked["USER"],
            password=asked["PASSWORD"] or None,
            host=asked["HOST"] or None,
            port=asked["PORT"] or None,
        )

    def entry(self, user: str, **options: Any) -> dict[str, Any]:
        """Return the entry of DATABASES by which `user` logs in."""
        login = {"NAME": self.name, "USER": user, "PASSWORD": self.password}
        return self.superuser | login | options

    def execute(self, sql: str, *parameters: Any) -> list[Any]:
        """Run `sql` as the superuser; return what it answers."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def databases(**entries: dict[str, Any]) -> Iterator[None]:
    """Have these entries in DATABASES, for every thread, until the end of the block."""
    before = {alias: connections.settings.get(alias) for alias in entries}
    opened = {alias: connections[alias] for alias in before if before[alias] is not None}
    connections.settings.update(entries)
    for alias in opened:
        del connections[alias]
    try:
        yield
    finally:
        for alias, entry in before.items():
            connections[alias].close()
            if hasattr(connections[alias], "close_pool"):
                connections[alias].close_pool()
            del connections[alias]
            if entry is None:
                del connections.settings[alias]
            else:
                connections.settings[alias] = entry
                connections[alias] = opened[alias]


@pytest.fixture(scope="session")
def migrated(django_db_setup: None, django_db_blocker: Any) -> Iterator[Walled]:
    """A database that its owner, who is no superuser, has migrated and walled for the serving role."""
    superuser = dict(connections[ALIAS].settings_dict)
    name = f"walled_{secrets.token_hex(4)}"  # several processes share a server
    walled = Walled(name, f"{name}_owner", f"{name}_site", secrets.token_hex(16), superuser)
    admin = psycopg.connect(make_conninfo(walled.url, dbname=superuser["NAME"]), autocommit=True)
    with admin:
        for role in (walled.owner, walled.role):
            admin.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{walled.password}'")
        admin.execute(f'CREATE DATABASE "{name}" OWNER "{walled.owner}"')
        admin.execute(f'ALTER ROLE "{walled.role}" SET track_activities = off')
    with psycopg.connect(walled.url, autocommit=True) as there:
        there.execute(f'ALTER SCHEMA public OWNER TO "{walled.owner}"')
    entries = {ALIAS: walled.entry(walled.role), OWNER_ALIAS: walled.entry(walled.owner)}
    with (
        django_db_blocker.unblock(),
        override_settings(TENANTS_ISOLATION="rows", TENANTS_RLS_OWNER=OWNER_ALIAS),
        databases(**entries),
    ):
        call_command("migrate", database=OWNER_ALIAS, verbosity=0)
        call_command("tenants_rls", "install", verbosity=0)
    yield walled
    with psycopg.connect(
        make_conninfo(walled.url, dbname=superuser["NAME"]), autocommit=True
    ) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.execute(f'DROP ROLE "{walled.owner}", "{walled.role}"')


@pytest.fixture
def serving(migrated: Walled, django_db_blocker: Any, settings: Any) -> Iterator[Walled]:
    """The site, logged in as the serving role, over rows of A, of B and of the platform."""
    settings.TENANTS_ISOLATION = "rows"
    settings.TENANTS_RLS_OWNER = OWNER_ALIAS
    entries = {
        ALIAS: migrated.entry(migrated.role),
        OWNER_ALIAS: migrated.entry(migrated.owner),
    }
    with django_db_blocker.unblock(), databases(**entries):
        wall_in_all()
        rows.fill()
        yield migrated
    write_with(psycopg.Cursor)
    tables = migrated.execute(
        "SELECT string_agg(format('%%I', relname), ', ') FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
    )[0][0]
    migrated.execute(f"TRUNCATE {tables}")
