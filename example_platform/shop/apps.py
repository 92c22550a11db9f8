"""Owns the shop as a Django app: its pages, its handlers of events, its commands."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """A marketplace whose merchants sell through Stripe Connect."""

    name = "example_platform.shop"
    label = "shop"
    verbose_name = "Shop"
    default_auto_field = "django.db.models.BigAutoField"
