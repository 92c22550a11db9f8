"""The shop's settings. What differs from one machine to another comes from the environment.

``TENANTS_ISOLATION`` (none, rows, schemas), ``DATABASE_URL`` (manage.py sees to one), ``STRIPE_API_KEY`` (unset: the
stand-in), ``STRIPE_WEBHOOK_SECRET_PLATFORM`` and ``STRIPE_WEBHOOK_SECRET_CONNECT`` (with a key), ``STRIPE_API_BASE`` (a
stand-in that runs elsewhere).
"""

import os
import secrets

from django_stripe import APPS
from example_platform.database import database
from example_platform.environment import OWNER_URL, isolation, stripe_api_key
from tenants import placing

# A shop to look at, on the machine it runs on and no other.
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
# Made anew at every start, and handed on to the process that the autoreloader starts.
SECRET_KEY = os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))

ROOT_URLCONF = "example_platform.urls"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "UTC"

DATABASE_URL = os.environ.get("DATABASE_URL")
DATABASES = {"default": database(DATABASE_URL) | {"CONN_MAX_AGE": 60}} if DATABASE_URL else {}

DJANGO_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]
SHOP = "example_platform.shop"
INSTALLED_APPS = [*DJANGO_APPS, "django_stripe", *APPS, "connect", "tenants", SHOP]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

TENANTS_ISOLATION = isolation()
TENANTS_CITUS = "CITUS_DATABASE_URL" in os.environ
if TENANTS_ISOLATION == "rows":
    TENANTS_RLS_OWNER = "owner"
    MIDDLEWARE += ["tenants.staff.every_account_in_admin"]
    if DATABASES:
        DATABASES["owner"] = database(os.environ.get(OWNER_URL, ""))
if TENANTS_ISOLATION == "schemas":
    SHARED_APPS = placing.shared_apps(*DJANGO_APPS)
    TENANT_APPS = placing.tenant_apps(SHOP)
    INSTALLED_APPS = placing.installed_apps(SHARED_APPS, TENANT_APPS)
    TENANT_MODEL = "merchants.Merchant"
    TENANT_DOMAIN_MODEL = "merchants.Domain"
    TENANT_LIMIT_SET_CALLS = True
    DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
    MIDDLEWARE += ["tenants.chosen.chosen_merchant_in_admin"]
    if DATABASES:
        DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"

# Without a key it is the stand-in: the demo starts one and says where; `python -m connect.testing` is at this address.
STRIPE_API_KEY = stripe_api_key() or "sk_test_standin"
STRIPE_API_BASE = os.environ.get(
    "STRIPE_API_BASE", "" if stripe_api_key() else "http://127.0.0.1:12111"
)
STRIPE_WEBHOOK_SECRETS = {
    endpoint: [secret]
    for endpoint in ("platform", "connect")
    if (secret := os.environ.get(f"STRIPE_WEBHOOK_SECRET_{endpoint.upper()}"))
}
# The demo needs no second process: what a webhook brings is processed as soon as it is stored.
CONNECT_PROCESSING = "inline"
