"""Owns the base of every sub-app.

Import this module, not the class by its name: Django takes the label from the only AppConfig in an
``apps.py``, and silently makes one up where it finds two.
"""

from django.apps import AppConfig


class StripeObjectConfig(AppConfig):
    """An app that mirrors one kind of Stripe object, so that it can be installed and placed on its own."""

    default_auto_field = "django.db.models.BigAutoField"
