"""The system checks: nothing that would not work, or that fails open, starts up unnoticed."""

import pytest
from django.core.checks import run_checks
from django.db import connections

from django_stripe.checks import check_settings

pytestmark = pytest.mark.django_db  # Django's own checks ask for the server's version

LIVE, TEST = "sk_live_x", "sk_test_x"
SECRET = "whsec_c0nneCTC0NNECTc0nnect567890"


def ids():
    return {message.id for message in run_checks()}


def test_the_settings_of_the_tests_have_nothing_to_say():
    assert ids() == set()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("STRIPE_API_KEY", "", "django_stripe.W001"),
        ("STRIPE_API_KEY", "pk_test_x", "django_stripe.E001"),
        ("STRIPE_API_KEY", "secret", "django_stripe.E001"),
        ("STRIPE_API_KEY", {"live": TEST}, "django_stripe.E001"),
        ("STRIPE_API_KEY", {"live": None, "test": TEST}, "django_stripe.E001"),
        ("USE_TZ", False, "django_stripe.E007"),
        ("STRIPE_API_KEY", {"live": LIVE, "acct_A": TEST}, "django_stripe.E002"),
        ("STRIPE_TIMEOUT_SECONDS", 0, "django_stripe.E003"),
        ("STRIPE_TIMEOUT_SECONDS", None, "django_stripe.E003"),
        ("STRIPE_MAX_NETWORK_RETRIES", -1, "django_stripe.E004"),
        ("STRIPE_WEBHOOK_SECRETS", [SECRET], "connect.E001"),
        ("STRIPE_WEBHOOK_SECRETS", {"conect": [SECRET]}, "connect.E002"),
        ("STRIPE_WEBHOOK_SECRETS", {"connect": [""]}, "connect.E003"),
        ("STRIPE_WEBHOOK_SECRETS", {"connect": [SECRET, "whsec_..."]}, "connect.E003"),
        ("STRIPE_WEBHOOK_SECRETS", {"connect": [SECRET], "thin": ["whsec_"]}, "connect.E003"),
        ("STRIPE_WEBHOOK_SECRETS", {}, "connect.W001"),
        ("CONNECT_LIVEMODE_POLICY", "drop", "connect.E004"),
        ("CONNECT_LIVEMODE_POLICY", {"connect": "drop"}, "connect.E004"),
        ("CONNECT_LIVEMODE_POLICY", {"conect": "park"}, "connect.E004"),
        ("CONNECT_PROCESSING", "later", "connect.E005"),
        ("CONNECT_HEALTH_TOKEN", "short", "connect.E006"),
        ("CONNECT_HEALTH_LAG_SECONDS", 0, "connect.E007"),
        ("CONNECT_INBOX_RETENTION_DAYS", 29, "connect.E008"),
        ("CONNECT_INBOX_RETENTION_DAYS", "90", "connect.E008"),
        ("CONNECT_WAKE_UP", "connect.no_such.wake_up", "connect.E009"),
        ("CONNECT_WAKE_UP", "connect.conf.ENDPOINTS", "connect.E009"),
        ("TENANTS_ISOLATION", "walls", "tenants.E001"),
        ("TENANTS_ISOLATION", "schemas", "tenants.E010"),
    ],
)
def test_a_wrong_setting_is_named(settings, name, value, message):
    setattr(settings, name, value)
    assert message in ids()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_API_KEY", {"live": LIVE, "test": lambda: TEST}),
        ("STRIPE_API_KEY", lambda: "rk_live_x"),
        ("STRIPE_WEBHOOK_SECRETS", {"connect": SECRET}),
        ("STRIPE_WEBHOOK_SECRETS", {"thin": [SECRET]}),
        ("CONNECT_LIVEMODE_POLICY", {"thin": "ignore"}),
        ("CONNECT_LIVEMODE_POLICY", {"connect": "accept", "platform": "ignore"}),
        ("CONNECT_PROCESSING", "worker"),
        ("CONNECT_INBOX_RETENTION_DAYS", 30),
        ("CONNECT_WAKE_UP", "connect.wake_ups.celery.wake_up"),
        ("TENANTS_ISOLATION", None),
        ("TENANTS_ISOLATION", "rows"),
    ],
)
def test_a_right_setting_passes(settings, name, value):
    setattr(settings, name, value)
    assert ids() == set()


def test_another_database_is_refused(settings):
    postgresql = connections["default"]
    sqlite = connections.databases["default"] | {"ENGINE": "django.db.backends.sqlite3"}
    try:
        connections["default"] = connections.create_connection("default")
        connections["default"].vendor = sqlite["ENGINE"].rpartition(".")[2]
        assert "django_stripe.E005" in {message.id for message in check_settings(None)}
    finally:
        connections["default"] = postgresql
