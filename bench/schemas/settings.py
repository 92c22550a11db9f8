"""The settings of a project whose merchants have schemas."""

from __future__ import annotations

from bench.ours.settings import *  # noqa: F403
from bench.project import BASE_APPS, DATABASES
from tenants import placing

TENANTS_ISOLATION = "schemas"
TENANT_MODEL = "merchants.Merchant"
TENANT_DOMAIN_MODEL = "merchants.Domain"
TENANT_LIMIT_SET_CALLS = True
SHARED_APPS = placing.shared_apps(*BASE_APPS)
TENANT_APPS = placing.tenant_apps()
INSTALLED_APPS = placing.installed_apps(SHARED_APPS, TENANT_APPS)
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"

TENANTS_RESOLVE_BY = "subdomain"
TENANTS_MAY_ENTER = "tenants.middleware.anyone"
ALLOWED_HOSTS = [".bench"]
