from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    """The map of accounts to merchants, and of hosts to merchants. Shared: no merchant has it to itself."""

    name = "tenants.merchants"
    label = "merchants"
    verbose_name = "Merchants"
    default_auto_field = "django.db.models.BigAutoField"
