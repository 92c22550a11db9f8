"""The shop, installed for a test: its app, its table, its addresses."""

import pytest
from django.db import connection

import connect
from example_platform.shop.models import Takings


@pytest.fixture
def shop(db, settings, routes):
    """Install the shop beside what all tests install; what it registers is forgotten afterwards."""
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "example_platform.shop"]
    settings.TEMPLATES = list(settings.TEMPLATES)  # engines look for tags and templates once
    settings.ROOT_URLCONF = "example_platform.urls"
    # Here, not above: to import it is to register it, for every test there is.
    from example_platform.shop import stripe_handlers  # noqa: PLC0415

    connect.on("charge.succeeded", "payment.created")(stripe_handlers.count_the_sale)
    with connection.schema_editor() as editor:
        editor.create_model(Takings)
