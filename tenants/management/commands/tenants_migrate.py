"""Owns ``manage.py tenants_migrate``: the shared schema, then every merchant's that is not current."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connect.progress import Progress
from django_stripe.platform import PLATFORM
from tenants.conf import isolation
from tenants.names import UnsafeName, schema_of
from tenants.places import find_state


class Command(BaseCommand):
    """In place of django-tenants' own, which stops at the first that fails, and goes through those that are current."""

    help = (
        "Migrates the shared schema, makes the platform's own if there is none, and migrates the merchants' that are "
        "not current. One that fails is named at the end, and keeps nobody else waiting; the exit code is then 1."
    )

    _progress: Progress | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("accounts", nargs="*", metavar="acct_…", help="Only these merchants.")

    def handle(self, *args: Any, **options: Any) -> None:
        if isolation() != "schemas":
            raise CommandError(
                "Merchants have no schemas here: TENANTS_ISOLATION is not 'schemas'. Run manage.py migrate."
            )
        from tenants.migrating import migrate_schemas, migrate_shared  # noqa: PLC0415
        from tenants.provisioning import provision  # noqa: PLC0415

        only = self._schemas(options["accounts"])
        if only is None:
            migrate_shared()
            if find_state("") is None:
                provision(PLATFORM)
        report = migrate_schemas(only, self._tell if options["verbosity"] else _say_nothing)
        if self._progress:
            self._progress.end(report.done)
        if options["verbosity"]:
            if only is None:
                self.stdout.write("The shared schema is current.")
            self.stdout.write(
                f"{len(report.migrated)} schemas migrated, {report.current} were current, {len(report.failed)} failed."
            )
        if report.failed:
            lines = [f"{schema}: {problem}" for schema, problem in report.failed.items()]
            raise CommandError("\n".join(lines), returncode=1)

    def _tell(self, done: int, total: int) -> None:
        if self._progress is None:
            self._progress = Progress(self.stdout, "schemas", total)
        elif self._progress.is_due:
            self._progress.tell(done)

    def _schemas(self, accounts: list[str]) -> list[str] | None:
        try:
            return [schema_of(account) for account in accounts] or None
        except UnsafeName as problem:
            raise CommandError(str(problem)) from problem


def _say_nothing(done: int, total: int) -> None:
    pass
