"""The settings of dj-stripe's project."""

from __future__ import annotations

import os

from bench.project import (  # noqa: F401 - they are settings
    ALLOWED_HOSTS,
    BASE_APPS,
    DATABASES,
    MIDDLEWARE,
    SECRET_KEY,
    TEMPLATES,
    USE_TZ,
)

ROOT_URLCONF = "bench.djstripe.urls"
INSTALLED_APPS = [*BASE_APPS, "djstripe"]

STRIPE_TEST_SECRET_KEY = "sk_test_" + "0" * 24
STRIPE_LIVE_MODE = False
STRIPE_API_HOST = os.environ["STRIPE_API_BASE"]
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"

# Its tables are made from its models: its migrations end in the same columns, indexes and constraints
# (compared for 2.11.0), and take most of a minute.
MIGRATION_MODULES = dict.fromkeys(("admin", "auth", "contenttypes", "sessions", "djstripe"))
