"""Owns the system checks of how merchants are kept apart: nobody is to believe in a wall that is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.db import connections

from django_stripe.database import ALIAS
from tenants import conf
from tenants.catalog import rows
from tenants.inspection import holes_in_connection, holes_in_tables, holes_of_role

BUILT = (None, "rows", "schemas")


def check_isolation(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse what is not built, and settings under which the wall would not hold."""
    value = conf.isolation()
    if value not in BUILT:
        return [
            Error(
                f"TENANTS_ISOLATION is {value!r}, which this release does not provide.",
                hint="Set it to 'rows' (row-level security), 'schemas' (django-tenants), or leave it at None: rows are "
                "then keyed by account, and no wall in the database keeps merchants apart.",
                id="tenants.E001",
            )
        ]
    if value != "rows":
        return []
    messages: list[CheckMessage] = []
    if conf.rls_binding() not in conf.BINDINGS:
        messages.append(
            Error(
                f"TENANTS_RLS_BINDING is {conf.rls_binding()!r}.",
                hint="Set it to 'backend' (the default), or to 'time' where a pooler gives each transaction another "
                "connection.",
                id="tenants.E002",
            )
        )
    if not all(isinstance(secret, str) and secret for secret in conf.rls_secrets()):
        messages.append(
            Error(
                "TENANTS_RLS_KEY, or one of its fallbacks, is empty or no text.",
                hint="Give a long random text, or leave it out: the key then derives from SECRET_KEY.",
                id="tenants.E003",
            )
        )
    return messages


def check_wall(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Ask the database whether its wall would hold the role that the site logs in as."""
    if conf.isolation() != "rows" or ALIAS not in (databases or ()):
        return []
    connection = connections[ALIAS]
    # The one who logged in: whoever injects SQL can be him again.
    (role, hidden), *_ = rows(
        connection, "SELECT session_user, current_setting('track_activities') = 'off'", []
    )
    holes = [
        *(("tenants.E004", hole) for hole in holes_in_tables(connection, role)),
        *(("tenants.E005", hole) for hole in holes_of_role(connection, role)),
    ]
    # What is not held is not asked to prove that it is believed.
    holes += [("tenants.E006", hole) for hole in (() if holes else holes_in_connection(ALIAS))]
    messages: list[CheckMessage] = [Error(hole, id=number) for number, hole in holes]
    if not hidden:
        messages.append(
            Caution(
                f"The statements of the role {role}, and the values in them, can be read by each of its sessions in "
                "pg_stat_activity: also by whoever injects SQL.",
                hint=f'As a superuser: ALTER ROLE "{role}" SET track_activities = off; or silence this.',
                id="tenants.W001",
            )
        )
    return messages
