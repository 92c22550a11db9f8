"""Owns the options of the commands that are run as the owner of the tables, for the role that serves the site."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_stripe.database import ALIAS
from tenants import conf


def add_arguments(parser: ArgumentParser) -> None:
    """Add ``--database`` and ``--role``."""
    parser.add_argument(
        "--database",
        help="the entry of DATABASES that logs in as the owner of the tables; default: the setting "
        f"TENANTS_RLS_OWNER, or {ALIAS!r}",
    )
    parser.add_argument(
        "--role",
        help="the role that the site logs in as; default: the setting TENANTS_RLS_ROLE, or the USER of "
        f"DATABASES[{ALIAS!r}]",
    )


def connection_and_role(options: dict[str, Any]) -> tuple[BaseDatabaseWrapper, str]:
    """Return the owner's connection, and the role that serves. Raises CommandError for no entry of ``DATABASES``."""
    alias: str = options["database"] or conf.owner_alias()
    if alias not in connections:
        raise CommandError(f"There is no {alias!r} in DATABASES.")
    return connections[alias], options["role"] or conf.serving_role()
