"""The settings of a project that knows its merchants, and has no schemas: a middleware and the map, no more."""

import os
import secrets

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS, MIDDLEWARE

TENANT_MODEL = "merchants.Merchant"
TENANT_DOMAIN_MODEL = "merchants.Domain"
INSTALLED_APPS = [*INSTALLED_APPS, "tenants.merchants"]
MIDDLEWARE = [*MIDDLEWARE, "tenants.middleware.MerchantMiddleware"]
ROOT_URLCONF = "tests.tenants.schemas.urls"
TENANTS_RESOLVE_BY = "header"
TENANTS_MAY_ENTER = "tenants.middleware.anyone"
if DATABASES:
    DATABASES["default"]["TEST"] = {"NAME": f"test_unplaced_{os.getpid()}_{secrets.token_hex(4)}"}
