"""Owns ``manage.py tenants_rls``: the wall of row-level security, put up, taken down, shown and inspected."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_stripe.database import ALIAS
from tenants import conf
from tenants.catalog import find_tables
from tenants.inspection import holes_in_connection, holes_in_tables, holes_of_role
from tenants.installation import CannotInstall, install, uninstall
from tenants.management import owner
from tenants.policies import account_tables

HOLDS = "The wall holds the role {}."
ACTIONS = ("install", "uninstall", "list", "check")


class Command(BaseCommand):
    """https://www.postgresql.org/docs/current/ddl-rowsecurity.html"""

    help = (
        "Row-level security on every table with a connect_account_id. install: puts it up, for the role that the site "
        "logs in as; run it after each migrate. uninstall: takes it down. list: shows each table. check: exits with 1 "
        "and says what to do if a table is not protected or the role is not held."
    )
    # They find the holes that this command is here to close.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        owner.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        connection, role = owner.connection_and_role(options)
        match options["action"]:
            case "install":
                self._install(connection, role, quiet=not options["verbosity"])
            case "uninstall":
                self._uninstall(connection)
            case "list":
                self._list(connection, role)
            case _:
                self._check(connection, role)
                self.stdout.write(HOLDS.format(role))

    def _install(self, connection: BaseDatabaseWrapper, role: str, *, quiet: bool) -> None:
        try:
            walled = install(connection, role)
        except CannotInstall as problem:
            raise CommandError(str(problem)) from problem
        self._check(connection, role)
        if quiet:
            return
        self.stdout.write(f"{len(walled)} tables keep the accounts apart for the role {role}.")
        if conf.isolation() != "rows":
            self.stdout.write("Nothing is read by it until TENANTS_ISOLATION = 'rows' is set.")
        self.stdout.write(HOLDS.format(role))

    def _uninstall(self, connection: BaseDatabaseWrapper) -> None:
        names = uninstall(connection)
        self.stdout.write(f"{len(names)} tables are no longer protected, and the key is gone.")

    def _list(self, connection: BaseDatabaseWrapper, role: str) -> None:
        there = find_tables(connection, account_tables(), role)
        line = "{:32} {:10} {:7} {:9} {}"
        self.stdout.write(line.format("table", "protected", "forced", "policies", "owner"))
        for table in account_tables():
            if table.name not in there:
                self.stdout.write(f"{table.name:32} is not migrated")
                continue
            found = there[table.name]
            wrong = any(found.policies.values())
            self.stdout.write(
                line.format(
                    table.name,
                    _yes(found.protected),
                    _yes(found.forced),
                    "wrong" if wrong else "ok",
                    found.owner,
                )
            )

    def _check(self, connection: BaseDatabaseWrapper, role: str) -> None:
        holes = [*holes_in_tables(connection, role), *holes_of_role(connection, role)]
        # Who signs is known where the site logs in as the role that is asked about.
        is_site = conf.isolation() == "rows" and connections[ALIAS].settings_dict["USER"] == role
        if is_site and not holes:
            holes += holes_in_connection(ALIAS)
        for hole in holes:
            self.stderr.write(hole)
        if holes:
            raise CommandError(f"The wall has {len(holes)} holes.", returncode=1)


def _yes(held: bool) -> str:
    return "yes" if held else "NO"
