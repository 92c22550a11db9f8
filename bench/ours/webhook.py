"""Owns where our project takes the events of connected accounts, which needs nothing set up in the database."""

from django.urls import reverse


def webhook_path() -> str:
    """Return the endpoint's path."""
    return reverse("connect:webhook", args=["connect"])
