"""Owns the addresses: ``path("stripe/", include("connect.urls"))``."""

from django.urls import path

from connect.health_views import health, metrics
from connect.views import webhook

app_name = "connect"

urlpatterns = [
    path("webhooks/<slug:endpoint>/", webhook, name="webhook"),
    path("health/", health, name="health"),
    path("metrics/", metrics, name="metrics"),
]
