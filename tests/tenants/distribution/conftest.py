"""The site with the settings for Citus, on PostgreSQL alone, and what is distributed."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from psycopg.conninfo import make_conninfo

from django_stripe.database import ALIAS, write_with
from tenants.distribution import distributed_tables
from tenants.policies import account_tables
from tenants.wall import wall_in_all
from tests.tenants.conftest import OWNER_ALIAS, databases

REPOSITORY = Path(__file__).parents[3]
NAMES = [table.name for table in distributed_tables()]
QUOTED = [table.quoted for table in distributed_tables()]


@pytest.fixture(scope="package")
def copied(migrated, django_db_blocker):
    """A copy of the migrated database, to be changed."""
    copy = dataclasses.replace(migrated, name=f"{migrated.name}_citus")
    admin = make_conninfo(migrated.url, dbname=migrated.superuser["NAME"])
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            f'CREATE DATABASE "{copy.name}" TEMPLATE "{migrated.name}" OWNER "{copy.owner}"'
        )
        yield copy
        connection.execute(f'DROP DATABASE "{copy.name}" WITH (FORCE)')


@pytest.fixture
def on_citus(copied, settings, django_db_blocker):
    """The site with the settings for Citus, over a wall that was put up with them."""
    settings.TENANTS_ISOLATION = "rows"
    settings.TENANTS_RLS_OWNER = OWNER_ALIAS
    settings.TENANTS_CITUS = True
    entries = {ALIAS: copied.entry(copied.role), OWNER_ALIAS: copied.entry(copied.owner)}
    with django_db_blocker.unblock(), databases(**entries):
        wall_in_all()
        call_command("tenants_rls", "install", stdout=StringIO())
        yield copied
    write_with(psycopg.Cursor)
    copied.execute(f"TRUNCATE {', '.join(table.quoted for table in account_tables())}")


def distribute(*arguments):
    out = StringIO()
    call_command("tenants_distribute", *arguments, stdout=out)
    return out.getvalue()


def environment_of_the_shop(**more):
    left_out = (
        "DJANGO_SETTINGS_MODULE",
        "STRIPE_API_KEY",
        "TENANTS_ISOLATION",
        "CITUS_DATABASE_URL",
    )
    kept = {k: v for k, v in os.environ.items() if k not in left_out and not k.startswith("PYTEST")}
    return kept | more


def tell_the_story(file, **environment):
    command = [sys.executable, "-m", "tests.tenants.distribution.story", str(file)]
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env=environment_of_the_shop(**environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
