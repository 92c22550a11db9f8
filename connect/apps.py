"""Owns what happens when the webhooks are installed: checks, and the mirror's memory of events."""

from django.apps import AppConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules


class ConnectConfig(AppConfig):
    """The account context and the webhooks. Handlers live in each app's ``stripe_handlers.py``."""

    name = "connect"
    label = "connect"
    verbose_name = "Stripe Connect"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from connect.checks import check_settings  # noqa: PLC0415 - settings must be ready
        from connect.context import of_row  # noqa: PLC0415
        from connect.inbox import events_about  # noqa: PLC0415 - models must be ready
        from django_stripe.entering import enter_rows_with  # noqa: PLC0415
        from django_stripe.ties import remember_events_with  # noqa: PLC0415

        checks.register(check_settings)
        remember_events_with(events_about)
        enter_rows_with(of_row)
        autodiscover_modules("stripe_handlers")
