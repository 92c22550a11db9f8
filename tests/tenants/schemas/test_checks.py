"""Settings and servers under which merchants would not be kept apart are refused, with what to do."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest
from django.conf import settings as django_settings
from django.core.checks import run_checks
from django.db import connections

from django_stripe.database import ALIAS
from tenants import placing
from tenants.checks import check_isolation
from tenants.schema_checks import check_middleware, check_schemas, check_server, mixes_paths
from tests.tenants.relay import pooler

APP = "django_stripe.charge"


def ids(messages):
    return [message.id for message in messages]


def test_the_settings_of_these_tests_are_right(truth):
    assert run_checks(databases=[ALIAS]) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"TENANT_LIMIT_SET_CALLS": False}, "tenants.W010"),
        ({"MIDDLEWARE": []}, "tenants.W012"),
        ({"DATABASE_ROUTERS": []}, "tenants.E011"),
        ({"TENANT_MODEL": "shop.Shop"}, "tenants.E012"),
        ({"TENANT_DOMAIN_MODEL": None}, "tenants.E012"),
        ({"SHARED_APPS": [*django_settings.SHARED_APPS, APP]}, "tenants.E013"),
        ({"TENANT_APPS": placing.tenant_apps(objects=[])}, "tenants.E013"),
        ({"TENANT_APPS": [*django_settings.TENANT_APPS, "connect"]}, "tenants.E013"),
        ({"SHARED_APPS": []}, "tenants.E013"),
    ],
)
def test_what_is_wrong_is_named(settings, changes, found):
    for name, value in changes.items():
        setattr(settings, name, value)
    assert set(ids(check_schemas(None))) == {found}


def test_an_app_may_be_named_by_its_config(settings):
    settings.TENANT_APPS = [
        "django_stripe.charge.apps.ChargeConfig" if app == APP else app
        for app in settings.TENANT_APPS
    ]
    assert check_schemas(None) == []


def test_another_engine_is_refused(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES[ALIAS], "ENGINE", "django.db.backends.postgresql")
    (error,) = check_schemas(None)
    assert error.id == "tenants.E010"
    assert "no schema is made" in error.msg


def test_nothing_is_asked_of_a_project_without_schemas(settings):
    settings.TENANTS_ISOLATION = None
    settings.TENANT_MODEL = None
    assert check_schemas(None) == check_server(None, [ALIAS]) == check_isolation(None) == []


def test_what_is_not_provided_is_refused(settings):
    settings.TENANTS_ISOLATION = "schemas"
    assert check_isolation(None) == []
    settings.TENANTS_ISOLATION = "databases"
    assert ids(check_isolation(None)) == ["tenants.E001"]


def test_a_middleware_that_does_not_know_whom_to_let_in_is_refused(settings):
    assert check_middleware(None) == []
    del settings.TENANTS_MAY_ENTER
    settings.TENANTS_RESOLVE_BY = "cookie"
    assert ids(check_middleware(None)) == ["tenants.E020", "tenants.E021"]
    settings.MIDDLEWARE = []
    assert check_middleware(None) == []


def test_a_platform_without_a_place_is_told(truth):
    truth("ALTER SCHEMA platform RENAME TO away")
    try:
        assert ids(check_server(None, [ALIAS])) == ["tenants.W011"]
        assert check_server(None, []) == []
    finally:
        truth("ALTER SCHEMA away RENAME TO platform")


def test_a_pooler_is_refused_where_it_could_not_keep_paths_apart(truth):
    """PostgreSQL 18 tells its clients of the path, which poolers then can track; the one here hands all on."""
    before = connections.settings[ALIAS]
    opened = connections[ALIAS]
    opened.close()
    reported = truth.connection.info.parameter_status("search_path") is not None
    expected = [] if reported else ["tenants.E014"]
    with pooler(truth.connection.info.host, str(truth.connection.info.port)) as port:
        name = truth.connection.info.dbname
        connections.settings[ALIAS] = before | {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "NAME": name,
            "DISABLE_SERVER_SIDE_CURSORS": True,
        }
        del connections[ALIAS]
        try:
            assert ids(check_server(None, [ALIAS])) == expected
        finally:
            connections[ALIAS].close()
            del connections[ALIAS]
            connections.settings[ALIAS] = before
            connections[ALIAS] = opened


@pytest.mark.parametrize(
    ("backend", "reported", "mixes"),
    [(1, None, False), (1, "public", False), (2, "public", False), (2, None, True)],
)
def test_a_pooler_that_knows_nothing_of_paths_mixes_them_up(backend, reported, mixes):
    info = SimpleNamespace(backend_pid=1, parameter_status={"search_path": reported}.get)
    assert mixes_paths(info, backend) is mixes


@pytest.mark.parametrize("missing", ["TENANT_MODEL", "TENANT_DOMAIN_MODEL"])
def test_a_project_that_names_no_model_is_told_which(missing):
    other = {"TENANT_MODEL", "TENANT_DOMAIN_MODEL"} - {missing}
    script = (
        "import django; from django.conf import settings;"
        " settings.configure(INSTALLED_APPS=['django.contrib.contenttypes', 'tenants.merchants'],"
        f" {other.pop()}='merchants.x'); django.setup()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert f"{missing} is not set." in done.stderr
    assert "'merchants.Merchant'" in done.stderr
