"""Owns ``manage.py tenants_move``: what a platform has moves from shared tables to schemas, or back."""

from __future__ import annotations

import logging
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from connect.progress import Progress
from django_stripe.failure import where
from tenants.conf import isolation, serving_role
from tenants.installation import CannotInstall, install
from tenants.movable import Unmovable
from tenants.moving import (
    NotMoved,
    Tell,
    Way,
    accounts,
    compare,
    drop_source,
    filled_without_account,
    move,
    refuse_wall,
)
from tenants.names import UnsafeName
from tenants.ownership import key_of
from tenants.shared_tables import drop_empty, make_missing

logger = logging.getLogger(__name__)

Work = Callable[[str, Way, Tell], int]

LARGE_ROWS = 10_000
"""From how many rows on a table of an account is told of: it takes seconds, and those who wait want to know."""


class Command(BaseCommand):
    """One account after the other, each in a transaction; one that fails is named at the end."""

    help = (
        "Moves the rows of every account and of the platform from shared tables to a schema each (--to schemas), or "
        "back (--to rows), and proves by counts and checksums that they arrived. Run it under the settings of what it "
        "leads to, as the owner of the tables. It may be stopped and run again at any time. --drop removes the source."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "accounts", nargs="*", metavar="acct_…", help="Only these; the platform is: platform."
        )
        parser.add_argument("--to", choices=("schemas", "rows"), required=True)
        only = parser.add_mutually_exclusive_group()
        only.add_argument(
            "--verify",
            action="store_true",
            help="Compare, and move nothing: 1 if anything is missing.",
        )
        only.add_argument(
            "--drop",
            action="store_true",
            help="Delete what has been moved from the source, and the tables or schemas that are left empty.",
        )
        parser.add_argument("--yes", action="store_true", help="Do not ask before --drop.")

    def handle(self, *args: Any, **options: Any) -> None:
        way = Way(options["to"])
        self._tells_steps = options["verbosity"] > 0
        self._refuse(way)
        only = [self._key(name) for name in options["accounts"]]
        if options["verify"]:
            self._each(self._verify, "compared", only, way)
        elif options["drop"]:
            self._ask(options["yes"])
            self._each(self._drop, "dropped", only, way)
            if way.to == "schemas" and not only:
                self._drop_tables()
        else:
            self._make_ready(way)
            self._tell_of_nobodys(way)
            self._each(self._move, "moved", only, way)

    def _refuse(self, way: Way) -> None:
        wanted = ("schemas",) if way.to == "schemas" else ("rows", None)
        if isolation() not in wanted:
            raise CommandError(
                f"TENANTS_ISOLATION is {isolation()!r}: run this under the settings of what it leads to, {wanted[0]!r}."
            )

    def _key(self, name: str) -> str:
        key = key_of(name)
        if key is None:
            raise CommandError(f"{name!r} is no account's id, and not 'platform'.")
        return key

    def _ask(self, yes: bool) -> None:
        if yes:
            return
        if not sys.stdin.isatty():
            raise CommandError("What is dropped is gone. Say --yes.")
        if input("Drop what has been moved from its source? Type yes: ") != "yes":
            raise CommandError("Nothing is dropped.")

    def _make_ready(self, way: Way) -> None:
        try:
            if way.to == "schemas":
                from tenants.migrating import migrate_shared  # noqa: PLC0415 - needs django-tenants

                migrate_shared()
                refuse_wall(way)
            elif made := make_missing(way.alias):
                self.stdout.write(f"Tables are made in the shared schema: {', '.join(made)}.")
            if isolation() == "rows":
                # Before there is anything behind it.
                install(connections[way.alias], serving_role())
        except (Unmovable, CannotInstall) as problem:
            raise CommandError(str(problem)) from problem

    def _each(self, work: Work, done: str, only: list[str], way: Way) -> None:
        try:
            keys = only or accounts(way)
        except Unmovable as problem:
            raise CommandError(str(problem)) from problem
        progress = Progress(self.stdout, f"accounts {done}", len(keys))
        failed: list[str] = []
        for number, key in enumerate(keys):
            if number and progress.is_due:
                progress.tell(number)
            name = key or "platform"
            try:
                self._time(name, done, partial(work, key, way, partial(self._tell_step, name)))
            except (Unmovable, NotMoved, UnsafeName) as problem:
                failed.append(f"{name}: {problem}")
            except Exception as error:  # noqa: BLE001 - the next one is not to wait for it
                # The first line alone: the others of PostgreSQL's quote the row.
                failed.append(f"{name}: {type(error).__name__}: {error}".splitlines()[0])
                logger.error("Account %s could not be %s: %s", name, done, where(error))
                connections[way.alias].close()
        progress.end(len(keys) - len(failed))
        if failed:
            raise CommandError("\n".join(failed), returncode=1)

    def _time(self, name: str, done: str, work: Callable[[], int]) -> None:
        began = time.monotonic()
        if rows := work():
            speed = rows / max(time.monotonic() - began, 1e-9)
            self.stdout.write(f"{name}: {rows:,} rows {done}, {speed:,.0f} rows/s.")

    def _tell_step(self, name: str, table: str, rows: int, doing: str) -> None:
        if self._tells_steps and rows >= LARGE_ROWS:
            self.stdout.write(f"{name}: {table}: {doing} {rows:,} rows.")
            self.stdout.flush()

    def _move(self, key: str, way: Way, tell: Tell) -> int:
        return move(key, way, tell).rows or 0

    def _verify(self, key: str, way: Way, tell: Tell) -> int:
        if differences := compare(key, way, tell):
            raise NotMoved(differences)
        return 0

    def _drop(self, key: str, way: Way, tell: Tell) -> int:
        return drop_source(key, way, tell)

    def _drop_tables(self) -> None:
        empty, kept = drop_empty()
        if empty:
            self.stdout.write(
                f"{len(empty)} tables of the shared schema were empty, and are dropped."
            )
        if kept:
            self.stderr.write(f"The shared schema keeps what has rows: {', '.join(kept)}.")

    def _tell_of_nobodys(self, way: Way) -> None:
        if names := filled_without_account(way):
            self.stderr.write(
                f"NOT moved, for they have no connect_account_id: the rows of {', '.join(names)}."
            )
