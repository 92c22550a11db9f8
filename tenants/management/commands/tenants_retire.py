"""Owns ``manage.py tenants_retire``: a merchant is no longer served, and what it has is kept, taken out or dropped."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connect.progress import Progress
from tenants.exporting import export
from tenants.names import UnsafeName, schema_of
from tenants.provisioning import NoMerchant, drop, retire


class Command(BaseCommand):
    """Each way does what the one before it does, and more."""

    help = (
        "Retires a merchant. keep: its context cannot be entered, its events are parked; tenants_provision takes it "
        "back. export: and all of its rows are written to a folder, as JSON lines. drop: and its schema is dropped, "
        "after an export, or with --yes without one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="acct_…")
        parser.add_argument("way", choices=("keep", "export", "drop"))
        parser.add_argument(
            "--directory", type=Path, help="Where the folder of the export is made."
        )
        parser.add_argument("--yes", action="store_true", help="Drop without an export.")

    def handle(self, *args: Any, **options: Any) -> None:
        account, way, directory = options["account"], options["way"], options["directory"]
        if way == "export" and directory is None:
            raise CommandError("Say where to: --directory.")
        if way == "drop" and directory is None and not options["yes"]:
            raise CommandError(
                "What is dropped is gone. Name a --directory to export it to first, or say --yes."
            )
        try:
            schema_of(account)
            merchant = retire(account)
            self.stdout.write(f"{account} is {merchant.get_state_display()}.")
            if directory is not None and way != "keep":
                self._export(account, directory)
            if way == "drop":
                drop(account)
                self.stdout.write(f"The schema of {account} is dropped.")
        except (NoMerchant, UnsafeName, ValueError, OSError) as problem:
            raise CommandError(str(problem)) from problem

    def _export(self, account: str, directory: Path) -> None:
        progress: list[Progress] = []

        def tell(done: int, total: int) -> None:
            if not progress:
                progress.append(Progress(self.stdout, "tables", total))
            if done == total:
                progress[0].end(done)
            elif progress[0].is_due:
                progress[0].tell(done)

        self.stdout.write(f"All of {account} is in {export(account, directory, tell)}.")
