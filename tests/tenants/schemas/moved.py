"""A platform that moves: a database with row-level security, and the two settings it is run under.

A plugin of the tests, so that they all copy one. PYTEST_DONT_REWRITE: they import it before it is one.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from django_stripe.database import ALIAS
from tests.tenants.conftest import Walled, databases
from tests.tenants.rows import A, B

C = "acct_C"
ACCOUNTS = ("", A, B, C)

FILL = """
import django
django.setup()
from dataclasses import replace
from django.core.management import call_command
import connect
from django_stripe.mirroring import mirror
from tests.tenants import rows
call_command("migrate", database="owner", verbosity=0)
call_command("tenants_rls", "install", verbosity=0)
rows.fill()
with connect.account("acct_C"):
    mirror([replace(rows.snapshot(rows.A, name), account="acct_C") for name in ("ch_both", "ch_c")])
"""


@dataclass(frozen=True)
class Said:
    """What a command said."""

    out: str
    err: str
    code: int


@dataclass(frozen=True)
class Platform(Walled):
    """Its database."""

    def to_schemas(self, *arguments: str) -> Said:
        """Run the command as the owner, under the settings of schemas."""
        out, err, code = StringIO(), StringIO(), 0
        try:
            with self.served():
                call_command("tenants_move", "--to", "schemas", *arguments, stdout=out, stderr=err)
        except CommandError as error:
            err.write(str(error))
            code = error.returncode
        return Said(out.getvalue(), err.getvalue(), code)

    def to_rows(self, *arguments: str) -> Said:
        return self.under_rows("-m", "django", "tenants_move", "--to", "rows", *arguments)

    @property
    def of_rows(self) -> dict[str, str]:
        """The environment of a process under the settings of rows: the site, who knows the owner."""
        return {
            "DJANGO_SETTINGS_MODULE": "tests.tenants.schemas.rows_settings",
            "DATABASE_URL": self.url_of(self.role),
            "OWNER_URL": self.url_of(self.owner),
        }

    @property
    def of_schemas(self) -> dict[str, str]:
        """The same under the settings of schemas: the owner."""
        return {"DATABASE_URL": self.url_of(self.owner)}

    def under_rows(self, *arguments: str) -> Said:
        """Run Python under the settings of rows."""
        return _python(self.of_rows, *arguments)

    def under_schemas(self, script: str) -> Said:
        """Run Python in a process that may be killed, as the owner, under the settings of schemas."""
        return _python(self.of_schemas, "-c", script)

    @contextmanager
    def served(self, user: str | None = None) -> Iterator[None]:
        """Have this process's connection be to this database, as its owner."""
        with databases(**{ALIAS: self.entry(user or self.owner)}):
            yield

    def url_of(self, user: str) -> str:
        asked = self.superuser
        where = f"host={asked['HOST']}&port={asked['PORT']}"
        return f"postgresql:///{self.name}?{where}&user={user}&password={self.password}"

    def tables(self, schema: str) -> set[str]:
        found = self.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", schema)
        return {name for (name,) in found}

    def rows(self, schema: str, account: str, *, ids: bool = True) -> dict[str, list[str]]:
        """Return the rows of `account` in the object tables of `schema`, each as text; and no table without any."""
        found = {}
        # Which tables these are, the settings of schemas say; here they are told by name.
        for table in sorted(self.tables(schema)):
            if table.startswith("stripe_") and table != "stripe_account":
                statement = sql.SQL(
                    "SELECT (to_jsonb(t) - {}::text[])::text FROM {} t WHERE connect_account_id = {} ORDER BY 1"
                ).format([] if ids else ["id"], sql.Identifier(schema, table), account)
                if rows := [row for (row,) in self.execute(statement)]:
                    found[table] = rows
        return found

    def all_rows(self, *, of_rows: bool, ids: bool = True) -> dict[str, dict[str, list[str]]]:
        """Return the rows of each account in the shared tables, or in the schemas."""
        return {
            account: self.rows("public" if of_rows else account or "platform", account, ids=ids)
            for account in ACCOUNTS
        }

    def charge(self, account: str, stripe_id: str, columns: str) -> tuple[Any, ...]:
        """Return `columns` of a charge in the account's schema."""
        (row,) = self.execute(
            f'SELECT {columns} FROM "{account or "platform"}".stripe_charge WHERE stripe_id = %s',
            stripe_id,
        )
        return row


def _python(own: dict[str, str], *arguments: str) -> Said:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    return Said(done.stdout, done.stderr, done.returncode)


@contextmanager
def made() -> Iterator[Platform]:
    """Make the database of a platform with three merchants, under the settings of rows."""
    superuser = dict(connections[ALIAS].settings_dict)
    name = f"moving_{secrets.token_hex(4)}"  # several processes share a server
    made = Platform(name, f"{name}_owner", f"{name}_site", secrets.token_hex(16), superuser)
    with psycopg.connect(_url_of_postgres(made), autocommit=True) as admin:
        for role in (made.owner, made.role):
            admin.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD '{made.password}'")
        admin.execute(f'CREATE DATABASE "{name}" OWNER "{made.owner}"')
        admin.execute(f'ALTER ROLE "{made.role}" SET track_activities = off')
        made.execute(f'ALTER SCHEMA public OWNER TO "{made.owner}"')
        try:
            said = made.under_rows("-c", FILL)
            assert said.code == 0, said.err
            # As who owns only what is shared now: of the tables of objects, their wall is left, with no way in.
            with made.served():
                call_command("tenants_rls", "uninstall", verbosity=0, stdout=StringIO())
            yield made
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            admin.execute(f'DROP ROLE "{made.owner}", "{made.role}"')


@contextmanager
def copied(origin: Platform) -> Iterator[Platform]:
    """Make another one like `origin`."""
    name = f"moving_{secrets.token_hex(4)}"
    with psycopg.connect(_url_of_postgres(origin), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{origin.name}" OWNER "{origin.owner}"')
        try:
            yield replace(origin, name=name)
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _url_of_postgres(platform: Platform) -> str:
    return make_conninfo(platform.url, dbname="postgres")


@pytest.fixture(scope="session")
def origin(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), made() as platform:
        yield platform


@pytest.fixture
def platform(origin, django_db_blocker):
    """A platform with row-level security, the rows of three merchants, and its own."""
    with django_db_blocker.unblock(), copied(origin) as platform:
        yield platform


@pytest.fixture(scope="session")
def origin_in_schemas(origin):
    with copied(origin) as platform:
        assert platform.to_schemas().code == 0
        yield platform


@pytest.fixture
def in_schemas(origin_in_schemas, django_db_blocker):
    """The same, moved, and its source still there."""
    with django_db_blocker.unblock(), copied(origin_in_schemas) as platform:
        yield platform
