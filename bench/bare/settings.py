"""The settings of the bare project: those of the others, without a product."""

from __future__ import annotations

from bench.project import (  # noqa: F401 - they are settings
    ALLOWED_HOSTS,
    BASE_APPS,
    DATABASES,
    MIDDLEWARE,
    SECRET_KEY,
    TEMPLATES,
    USE_TZ,
)

ROOT_URLCONF = "bench.bare.urls"
INSTALLED_APPS = BASE_APPS
