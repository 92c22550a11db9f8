"""Owns what is installed with the tenants: the check of how merchants are kept apart."""

from django.apps import AppConfig
from django.core import checks


class TenantsConfig(AppConfig):
    """Merchants as tenants."""

    name = "tenants"
    label = "tenants"
    verbose_name = "Tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tenants.checks import check_isolation  # noqa: PLC0415 - settings must be ready

        checks.register(check_isolation)
