"""The settings of the tests of schemas: django-tenants' backend, and each app in its place."""

import os
import secrets

from tenants import placing
from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, MIDDLEWARE

TENANTS_ISOLATION = "schemas"
TENANT_MODEL = "merchants.Merchant"
TENANT_DOMAIN_MODEL = "merchants.Domain"
TENANT_LIMIT_SET_CALLS = True
SHARED_APPS = placing.shared_apps(
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "tests.handlers",
)
TENANT_APPS = placing.tenant_apps("tests.tenants.schemas.orders")
INSTALLED_APPS = placing.installed_apps(SHARED_APPS, TENANT_APPS)

DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
if DATABASES:
    DATABASES["default"] |= {
        "ENGINE": "django_tenants.postgresql_backend",
        # Beside the database of the tests that started these, in the same server.
        "TEST": {"NAME": f"test_schemas_{os.getpid()}_{secrets.token_hex(4)}"},
    }

ROOT_URLCONF = "tests.tenants.schemas.urls"
MIDDLEWARE = [
    *MIDDLEWARE,
    "tenants.middleware.MerchantMiddleware",
    "tenants.chosen.chosen_merchant_in_admin",
]
TENANTS_RESOLVE_BY = "subdomain"
TENANTS_PLATFORM_HOSTS = ["testserver"]
TENANTS_MAY_ENTER = "tenants.middleware.anyone"
ALLOWED_HOSTS = ["*"]
