"""Owns ``manage.py tenants_run``: any command, in the context of every merchant."""

from __future__ import annotations

import logging
from argparse import REMAINDER, ArgumentParser
from typing import Any

from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError

import connect
from connect.context import every_account
from connect.progress import Progress
from django_stripe.failure import where
from django_stripe.platform import account_key
from tenants.places import ready_accounts

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """What fails for one merchant is told at the end, and is done for the others."""

    help = (
        "Runs a command in the account context of each merchant that is ready, the platform first."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The command.")
        parser.add_argument("arguments", nargs=REMAINDER, help="Its arguments.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if name not in get_commands():
            raise CommandError(f"There is no command {name!r}.")
        with every_account():
            accounts = list(ready_accounts())
        progress = Progress(self.stderr, name, len(accounts))
        failed = []
        for done, account in enumerate(accounts):
            if progress.is_due:
                progress.tell(done)
            try:
                with connect.account(account):
                    call_command(name, *options["arguments"], stdout=self.stdout)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the next one is not to wait for it
                key = account_key(account) or "platform"
                logger.error("%s failed for %s: %s", name, key, where(error))
                failed.append(f"{key}: {type(error).__name__}: {error}")
        progress.end(len(accounts))
        if failed:
            raise CommandError("\n".join(failed), returncode=1)
