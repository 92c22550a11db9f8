"""Owns the system checks of schemas: settings and servers under which merchants would not be kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import psycopg
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as Caution
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from django_stripe.database import ALIAS
from django_stripe.registry import models_by_object
from tenants import conf
from tenants.catalog import rows
from tenants.names import PLATFORM_SCHEMA
from tenants.placing import SHARED, SHARED_OBJECTS

ENGINE: Final = "django_tenants.postgresql_backend"
ROUTER: Final = "django_tenants.routers.TenantSyncRouter"
MODELS: Final = {
    "TENANT_MODEL": "merchants.Merchant",
    "TENANT_DOMAIN_MODEL": "merchants.Domain",
}
MIDDLEWARE: Final = "tenants.middleware.MerchantMiddleware"
IN_ADMIN: Final = "tenants.chosen.chosen_merchant_in_admin"
USE_PLACING: Final = "Let tenants.placing.shared_apps() and tenant_apps() make both lists."
PROBE: Final = "tenants_probe"
"""A path that nobody has."""


def check_schemas(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse settings under which a merchant's rows would be nowhere, or in a schema of all."""
    if conf.isolation() != "schemas":
        return []
    return [*_settings(), *_apps()]


def check_middleware(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a middleware that would not know whose a request is, or who may send it."""
    if MIDDLEWARE not in settings.MIDDLEWARE:
        return []
    messages: list[CheckMessage] = []
    if conf.resolve_by() not in conf.WAYS:
        hint = f"Set it to one of {', '.join(conf.WAYS)}."
        messages.append(
            Error(f"TENANTS_RESOLVE_BY is {conf.resolve_by()!r}.", hint=hint, id="tenants.E020")
        )
    try:
        conf.may_enter_path()
    except ImproperlyConfigured as problem:
        messages.append(Error(str(problem), id="tenants.E021"))
    if not apps.is_installed("tenants.merchants"):
        messages.append(
            Error(
                f"{MIDDLEWARE} looks merchants up in tenants.merchants, which is not installed.",
                hint="Put 'tenants.merchants' into INSTALLED_APPS.",
                id="tenants.E022",
            )
        )
    return messages


def check_server(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Ask the database whether a pooler stands before it that would mix the merchants up."""
    if conf.isolation() != "schemas" or ALIAS not in (databases or ()):
        return []
    connection = connections[ALIAS]
    ((backend, there, at_home),) = rows(
        connection,
        "SELECT pg_backend_pid(), to_regclass('tenants_merchant') IS NOT NULL, to_regnamespace(%s) IS NOT NULL",
        [PLATFORM_SCHEMA],
    )
    messages: list[CheckMessage] = []
    info = connection.connection.info
    pooled = backend != info.backend_pid
    if mixes_paths(info, backend) or (pooled and not sets_path_asked_for(connection)):
        messages.append(
            Error(
                "A pooler stands between the site and PostgreSQL, and does not prove to keep the search paths of its "
                "clients apart: in transaction mode, what one migrates another would get.",
                hint="Connect to PostgreSQL itself; or use PostgreSQL 18, and PgBouncer 1.20 or newer with "
                "track_extra_parameters = search_path. Where it pools sessions, you may silence this.",
                id="tenants.E014",
            )
        )
    if pooled and not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
        messages.append(
            Error(
                "A pooler stands between the site and PostgreSQL, and cursors in the server would be asked for rows on "
                "another connection, where one of that name may be another merchant's.",
                hint="Set DISABLE_SERVER_SIDE_CURSORS = True in DATABASES.",
                id="tenants.E015",
            )
        )
    if there and not at_home:
        messages.append(
            Caution(
                "The platform's own objects have no place: their events are parked.",
                hint="Run `manage.py tenants_migrate`.",
                id="tenants.W011",
            )
        )
    return messages


def mixes_paths(info: Any, backend: int) -> bool:
    """Say whether what answers as `backend`, and is another than we were connected to, mixes its clients' paths up.

    What is reported a pooler can keep apart: PostgreSQL 18 reports it, and poolers hand on what they track.
    """
    return backend != info.backend_pid and info.parameter_status("search_path") is None


def sets_path_asked_for(connection: Any) -> bool:
    """Say whether a client that asks for a path when it connects has it in its transactions.

    A pooler that tracks paths sees to that; others refuse such a client, or forget what it asked for. That a path is
    reported is no proof: PgBouncer before 1.20 hands on what PostgreSQL 18 reports, and does not track it.
    """
    asked = connection.get_connection_params()
    options = f"{asked.get('options', '')} -c search_path={PROBE}"
    try:
        with (
            psycopg.connect(**asked | {"options": options}, autocommit=True) as client,
            client.transaction(),
        ):
            return client.execute("SHOW search_path").fetchone() == (PROBE,)
    except psycopg.OperationalError:
        return False


def _settings() -> Iterator[CheckMessage]:
    engine = settings.DATABASES.get(ALIAS, {}).get("ENGINE")
    if engine != ENGINE:
        yield Error(
            f"TENANTS_ISOLATION is 'schemas', and the ENGINE of DATABASES[{ALIAS!r}] is {engine!r}: no schema is made.",
            hint=f"Set it to {ENGINE!r}. One of your own, such as PostGIS, goes into ORIGINAL_BACKEND.",
            id="tenants.E010",
        )
    if ROUTER not in settings.DATABASE_ROUTERS:
        yield Error(
            "DATABASE_ROUTERS lacks django-tenants' router: every table would be made in every schema, and a "
            "merchant's rows would be found in the shared one.",
            hint=f"DATABASE_ROUTERS = [{ROUTER!r}].",
            id="tenants.E011",
        )
    for name, model in MODELS.items():
        if getattr(settings, name, None) != model:
            yield Error(
                f"{name} is {getattr(settings, name, None)!r}.",
                hint=f"{name} = {model!r}: what you keep of your merchants goes into a model that refers to it.",
                id="tenants.E012",
            )
    if apps.is_installed("django.contrib.admin") and IN_ADMIN not in settings.MIDDLEWARE:
        yield Caution(
            "The admin is installed, and no middleware says whose objects its pages show: they find no table.",
            hint=f"Put {IN_ADMIN!r} into MIDDLEWARE, after AuthenticationMiddleware.",
            id="tenants.W012",
        )
    if not getattr(settings, "TENANT_LIMIT_SET_CALLS", False):
        yield Caution(
            "TENANT_LIMIT_SET_CALLS is off: django-tenants sets the search path before every query, and the account "
            "context does so anyway.",
            hint="TENANT_LIMIT_SET_CALLS = True; it is a third faster.",
            id="tenants.W010",
        )


def _apps() -> Iterator[CheckMessage]:
    shared = set(getattr(settings, "SHARED_APPS", ()))
    tenant = set(getattr(settings, "TENANT_APPS", ()))
    names = {config.name: conf.spellings(config) for config in apps.get_app_configs()}
    everybodys: set[str] = {name for name in SHARED if name in names}
    merchants = {
        apps.get_app_config(model._meta.app_label).name for model in models_by_object().values()
    } - set(SHARED_OBJECTS)
    for name in sorted(everybodys):
        if not names[name] & shared or names[name] & tenant:
            yield _misplaced(name, "SHARED_APPS alone: it is about all merchants")
    for name in sorted(merchants):
        if not names[name] & tenant or names[name] & shared:
            yield _misplaced(
                name,
                "TENANT_APPS alone: a table of it in the shared schema would be read where a merchant's is missing",
            )


def _misplaced(name: str, place: str) -> CheckMessage:
    return Error(f"{name} belongs into {place}.", hint=USE_PLACING, id="tenants.E013")
