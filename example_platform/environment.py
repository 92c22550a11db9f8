"""Owns what the shop's commands run in: a PostgreSQL for those that need one, and what may be asked of the shop."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from psycopg import sql
from psycopg.conninfo import make_conninfo

from example_platform import postgres, roles

ROOT: Final = Path(__file__).parents[1]
OWNER_URL: Final = "DATABASE_OWNER_URL"
"""Where rows are kept apart: the way of the owner of the tables, and ``DATABASE_URL`` is that of who serves."""

DATA_DIRECTORY: Final = ROOT / ".data" / "demo"

WITHOUT_DATABASE: Final = frozenset(
    ("help", "--help", "-h", "version", "--version", "collectstatic", "findstatic", "diffsettings")
)
ISOLATIONS: Final = ("none", "rows", "schemas")
THROW_AWAY: Final = frozenset({"smoke"})
"""Commands that leave nothing behind: each run has a database of its own."""


def run(argv: list[str]) -> None:
    """Run Django's command line on the shop, with a database.

    Without ``DATABASE_URL`` it is an embedded PostgreSQL that lasts as long as somebody uses it; its data
    lasts until `make clean`.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_platform.settings")
    command = argv[1] if len(argv) > 1 else "help"
    try:
        isolation()
        stripe_api_key()
    except ImproperlyConfigured as problem:
        sys.exit(f"{Path(argv[0]).name} {command}: {problem}")
    # Told to end, it ends like one that was interrupted: what it began is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with contextlib.nullcontext() if command in WITHOUT_DATABASE else _database(command):
        execute_from_command_line(argv)


def isolation() -> str | None:
    """Return how the database keeps merchants apart: not at all, by rows or by schemas. Raises ImproperlyConfigured."""
    value = os.environ.get("TENANTS_ISOLATION", "none")
    if value not in ISOLATIONS:
        raise ImproperlyConfigured(
            f"TENANTS_ISOLATION is {value!r}: say one of {', '.join(ISOLATIONS)}, or leave it unset for none."
        )
    return None if value == "none" else value


def stripe_api_key() -> str:
    """Return the key to Stripe's test mode, or "" for the stand-in. Raises ImproperlyConfigured."""
    key = os.environ.get("STRIPE_API_KEY", "")
    if key and not key.startswith(("sk_test_", "rk_test_")):
        kind = "a live key" if "_live_" in key else "no secret key of Stripe's test mode"
        raise ImproperlyConfigured(
            f"STRIPE_API_KEY is {kind}. The shop invents sales: it takes keys that begin with sk_test_ or "
            "rk_test_ only. Leave it unset to use the stand-in."
        )
    return key


@contextlib.contextmanager
def _database(command: str) -> Iterator[None]:
    """Have ``DATABASE_URL`` name a database, also for processes that this one starts (the autoreloader's)."""
    given = os.environ.get("DATABASE_URL")
    with contextlib.ExitStack() as resources:
        if given and command in THROW_AWAY:
            os.environ["DATABASE_URL"] = resources.enter_context(_temporary_database(given))
        elif not given:
            directory = None if command in THROW_AWAY else DATA_DIRECTORY
            server = resources.enter_context(postgres.running(directory))
            os.environ["DATABASE_URL"] = server.url
        # A process that the autoreloader starts finds that the first has done it.
        if isolation() == "rows" and OWNER_URL not in os.environ:
            owner_url = os.environ[OWNER_URL] = os.environ["DATABASE_URL"]
            stays = not given or command not in THROW_AWAY
            serving = roles.serving_role(owner_url, stays=stays)
            os.environ["DATABASE_URL"] = resources.enter_context(serving)
        yield


@contextlib.contextmanager
def _temporary_database(url: str) -> Iterator[str]:
    """Create a database beside the one of `url`, and drop it after the block."""
    name = f"smoke_{secrets.token_hex(6)}"
    with _administration(url) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield make_conninfo(url, dbname=name)
    finally:
        with _administration(url) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@contextlib.contextmanager
def _administration(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        sys.exit(
            f"DATABASE_URL: {str(error).strip()}\nThe smoke test makes a database of its own there and drops it, for "
            "which its user needs CREATEDB. Unset DATABASE_URL to use an embedded PostgreSQL."
        )
