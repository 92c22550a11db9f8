"""The settings of our project; the environment says whether it has a handler, and when events are processed."""

from __future__ import annotations

import os

from bench.delivery import SECRET
from bench.project import (  # noqa: F401 - they are settings
    ALLOWED_HOSTS,
    BASE_APPS,
    DATABASES,
    MIDDLEWARE,
    SECRET_KEY,
    TEMPLATES,
    USE_TZ,
)
from django_stripe import APPS

ROOT_URLCONF = "bench.ours.urls"
INSTALLED_APPS = [*BASE_APPS, "django_stripe", *APPS, "connect"]
if os.environ.get("BENCH_HANDLER"):
    INSTALLED_APPS.append("bench.ours.shop")

STRIPE_API_KEY = "sk_test_bench"
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "")
STRIPE_WEBHOOK_SECRETS = {"connect": [SECRET]}
CONNECT_PROCESSING = os.environ.get("BENCH_PROCESSING", "inline")
