"""Owns what happens when the mirror is installed: its system checks."""

from django.apps import AppConfig
from django.core import checks


class DjangoStripeConfig(AppConfig):
    """The mirror: common code, admin and checks. Each object is an app of its own."""

    name = "django_stripe"
    label = "django_stripe"
    verbose_name = "Stripe"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django_stripe.checks import check_settings  # noqa: PLC0415 - settings must be ready

        checks.register(check_settings)
