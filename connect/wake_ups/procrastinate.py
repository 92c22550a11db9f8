"""Owns wake-ups by Procrastinate, whose jobs are in PostgreSQL too."""

from __future__ import annotations

from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from connect.wake_ups import work


@app.task(name="connect.drain_lane")
def drain_lane(connect_account_id: str, livemode: bool) -> None:
    """Process what waits in a lane."""
    work(connect_account_id, livemode)


def wake_up(connect_account_id: str, livemode: bool) -> None:
    """Defer a job, unless one waits for this lane already. https://procrastinate.readthedocs.io/"""
    job = drain_lane.configure(queueing_lock=f"connect {connect_account_id} {livemode}")
    try:
        job.defer(connect_account_id=connect_account_id, livemode=livemode)
    except AlreadyEnqueued:
        return  # it has not begun, and will find this event too
