"""Owns ``manage.py tenants_distribute``: the tables laid out over the nodes of Citus, or the SQL that would do it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.backends.base.base import BaseDatabaseWrapper

from tenants import conf
from tenants.distribution import (
    CannotDistribute,
    Step,
    distributed_tables,
    has_citus,
    plan_rows,
    plan_schemas,
    run,
)
from tenants.management import owner


class Command(BaseCommand):
    """https://docs.citusdata.com/en/stable/develop/api_udf.html"""

    help = (
        "Lays the tables out over the nodes of Citus: rows by connect_account_id, schemas by schema. Run it on the "
        "coordinator, as the owner of the tables, after each migrate and `tenants_rls install`: what is distributed is "
        "left alone. --plan prints the SQL, and changes nothing."
    )
    # The tables are not yet as the settings say.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--plan", action="store_true", help="print the SQL that would be run, on any PostgreSQL"
        )
        owner.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        connection, role = owner.connection_and_role(options)
        try:
            steps = _steps(connection, role)
            if options["plan"]:
                self._print(steps)
                return
            if not has_citus(connection):
                raise CommandError(
                    f"The database {connection.alias!r} has no extension citus. On every node: CREATE EXTENSION "
                    "citus; what would be run is shown by --plan."
                )
            run(connection, steps)
        except CannotDistribute as problem:
            raise CommandError(str(problem)) from problem
        for step in steps:
            self.stdout.write(step.why)
        self.stdout.write(f"{len(steps)} steps are done.")

    def _print(self, steps: list[Step]) -> None:
        for step in steps:
            self.stdout.write(f"-- {step.why}\nBEGIN;")
            for statement in step.statements:
                self.stdout.write(f"{statement};")
            self.stdout.write("COMMIT;\n")
        if conf.isolation() == "rows":
            names = ", ".join(table.name for table in distributed_tables())
            self.stdout.write(f"-- Spread by connect_account_id: {names}.")
        self.stdout.write("-- Everything else stays on the coordinator.")


def _steps(connection: BaseDatabaseWrapper, role: str) -> list[Step]:
    match conf.isolation():
        case "rows":
            return plan_rows(connection, role)
        case "schemas":
            return plan_schemas(connection)
    raise CommandError(
        "TENANTS_ISOLATION is not set: Citus lays out 'rows' by account and 'schemas' by schema. Set one of them, "
        "see docs/tenants.md, and TENANTS_CITUS = True."
    )
