"""Owns where our project takes the events of connected accounts, which needs nothing set up in the database."""

import os
import time

from django.db import connection
from django.urls import reverse

WAITING = "SELECT EXISTS (SELECT FROM connect_inboxevent WHERE state IN ('received', 'mirrored'))"


def webhook_path() -> str:
    """Return the endpoint's path."""
    return reverse("connect:webhook", args=["connect"])


def finish() -> None:
    """Wait until a worker has done all that was received, if there is one."""
    with connection.cursor() as cursor:
        while os.environ.get("BENCH_WORKER") and cursor.execute(WAITING).fetchone()[0]:
            time.sleep(0.002)
