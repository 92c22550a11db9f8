"""Owns ``manage.py tenants_provision``: accounts become merchants."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connect.context import every_account
from connect.progress import Progress
from django_stripe.failure import where
from tenants.places import ready_accounts
from tenants.provisioning import missing_accounts, provision, replay_parked

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Say whether, and why not, for each account; go on with the others."""

    help = (
        "Makes connected accounts merchants: the row that says so, their schema where TENANTS_ISOLATION is 'schemas', "
        "and the processing of the events that waited for it. May be run again at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("accounts", nargs="*", metavar="acct_…")
        parser.add_argument(
            "--name", default="", help="What the merchant is called, of one account."
        )
        parser.add_argument(
            "--domain",
            action="append",
            default=[],
            help="A host that it is served at, of one account.",
        )
        parser.add_argument(
            "--missing",
            action="store_true",
            help="Every account that is known here, or has parked events, and has never been a merchant; and events "
            "of merchants that are still parked. For a scheduler.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        accounts: list[str] = options["accounts"]
        if bool(accounts) == options["missing"]:
            raise CommandError("Name the accounts, or say --missing.")
        if len(accounts) != 1 and (options["name"] or options["domain"]):
            raise CommandError("--name and --domain are of one merchant: name one account.")
        if options["missing"]:
            # First: who waits in the platform's scope is not told by events that are being replayed.
            accounts = missing_accounts()
            replayed = _replay()
            if options["verbosity"]:
                self.stdout.write(f"{replayed} parked events of merchants are processed.")
        failed = self._provision(accounts, options)
        if failed:
            raise CommandError("\n".join(failed), returncode=1)

    def _provision(self, accounts: list[str], options: dict[str, Any]) -> list[str]:
        """Return what went wrong with which."""
        progress = Progress(self.stdout, "provisioned", len(accounts))
        failed = []
        for done, account in enumerate(accounts):
            if done and progress.is_due:
                progress.tell(done)
            try:
                provision(account, name=options["name"], domains=options["domain"])
            except Exception as error:  # noqa: BLE001 - the next one is not to wait for it
                logger.error("Account %s could not be provisioned: %s", account, where(error))
                failed.append(f"{account}: {error}")
        if options["verbosity"]:
            progress.end(len(accounts) - len(failed))
        return failed


def _replay() -> int:
    """What was parked in the moment that its merchant appeared in has nobody else to see to it."""
    with every_account():
        accounts = list(ready_accounts())
    return sum(replay_parked(account) for account in accounts)
