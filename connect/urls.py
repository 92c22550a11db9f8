"""Owns the addresses: ``path("stripe/", include("connect.urls"))``."""

from django.urls import path

from connect.views import webhook

app_name = "connect"

urlpatterns = [path("webhooks/<slug:endpoint>/", webhook, name="webhook")]
