"""The settings of the tests: everything installed, on a throw-away PostgreSQL."""

import os

from django_stripe import APPS
from example_platform.database import database

SECRET_KEY = "tests"
USE_TZ = True
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
ROOT_URLCONF = "tests.urls"
STATIC_URL = "static/"
DATABASES = (
    {"default": database(os.environ["DATABASE_URL"])} if "DATABASE_URL" in os.environ else {}
)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_stripe",
    *APPS,
    "connect",
    "tenants",
    "tests.handlers",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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

STRIPE_API_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
STRIPE_API_BASE = (
    "http://127.0.0.1:9"  # nothing listens: a test that calls Stripe starts its own stand-in
)
STRIPE_MAX_NETWORK_RETRIES = 0
STRIPE_WEBHOOK_SECRETS = {
    "platform": ["whsec_pLaTf0rmPLATF0RMplatf0rm1234"],
    "connect": ["whsec_c0nneCTC0NNECTc0nnect567890", "whsec_r0tatedR0TATEDr0tated12345"],
}
