"""Owns wake-ups by Django's tasks: those of Django 6, or the `django-tasks` package before."""

from __future__ import annotations

from connect.wake_ups import work

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef,unused-ignore]


@task()
def drain_lane(connect_account_id: str, livemode: bool) -> None:
    """Process what waits in a lane."""
    work(connect_account_id, livemode)


def wake_up(connect_account_id: str, livemode: bool) -> None:
    """Enqueue a task. https://docs.djangoproject.com/en/6.0/topics/tasks/"""
    drain_lane.enqueue(connect_account_id, livemode)
