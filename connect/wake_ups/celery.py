"""Owns wake-ups by Celery."""

from __future__ import annotations

from celery import shared_task

from connect.wake_ups import work


@shared_task(name="connect.drain_lane", ignore_result=True)
def drain_lane(connect_account_id: str, livemode: bool) -> None:
    """Process what waits in a lane."""
    work(connect_account_id, livemode)


def wake_up(connect_account_id: str, livemode: bool) -> None:
    """Send a task. https://docs.celeryq.dev/en/stable/django/"""
    drain_lane.delay(connect_account_id, livemode)
