"""`connect_worker`: process what the webhooks stored."""

from __future__ import annotations

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from connect.worker import Worker


class Command(BaseCommand):
    """Run a worker. Any number of them share the work, on any number of hosts."""

    help = (
        "Processes stored events until it is told to stop (SIGTERM, Ctrl-C), which it does after the handler or "
        "batch it is at. Start as many as you like: one at a time works on the events of an account."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Process what is due, and end: for a scheduler."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        worker = Worker()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        if options["once"]:
            worker.run_once()
        else:
            self.stdout.write("connect_worker: ready.")
            worker.run()
        self.stdout.write(f"connect_worker: {worker.moved} steps of events done.")
