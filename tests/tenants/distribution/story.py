"""``python -m tests.tenants.distribution.story FILE``: the smoke story, in the database of DATABASE_URL itself.

`manage.py smoke` makes a database of its own, which on Citus has no extension and no workers. With the settings of the
shop; what is sent is written to FILE. With CITUS_DATABASE_URL the tables are distributed before the story begins.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import django
from django.core.management import call_command
from django.db import ProgrammingError, connection, connections, transaction
from django.test import Client

import connect
from connect.context import every_account
from example_platform.environment import OWNER_URL
from example_platform.roles import serving_role
from tenants.conf import isolation

os.environ["DJANGO_SETTINGS_MODULE"] = "example_platform.settings"

FORGE = "SELECT set_config('connect.account', replace(current_setting('connect.account'), %s, %s), true)"
OF_OTHERS = "SELECT count(*) FROM stripe_charge WHERE connect_account_id NOT IN (%s, '')"


def main(file: str) -> None:
    with ExitStack() as resources:
        if os.environ.get("TENANTS_ISOLATION") == "rows":
            owner_url = os.environ[OWNER_URL] = os.environ["DATABASE_URL"]
            serving = resources.enter_context(serving_role(owner_url, stays=False))
            os.environ["DATABASE_URL"] = serving
        django.setup()
        _tell(file)
        connections.close_all()


def _tell(file: str) -> None:
    from example_platform import places  # noqa: PLC0415 - settings must be ready
    from tests.tenants.distribution import recorder  # noqa: PLC0415

    places.prepare()
    if "CITUS_DATABASE_URL" in os.environ:
        call_command("tenants_distribute")
        connections.close_all()
    recorder.record()
    try:
        call_command("smoke")
    finally:
        # What the story does not come to: a page, and a round of a worker.
        answer = Client(SERVER_NAME="localhost").get("/")
        assert answer.status_code == 200
        call_command("connect_worker", once=True)
        if isolation() == "rows":
            _see_their_own()
        found = [[who, text, forms] for (who, text), forms in recorder.sent.items()]
        Path(file).write_text(json.dumps(found))


def _see_their_own() -> None:
    """As the site, each merchant is shown its own rows, on whatever node they are, also by SQL that forges."""
    from django_stripe.charge.models import Charge  # noqa: PLC0415

    with every_account():
        accounts = {*Charge.objects.values_list("connect_account_id", flat=True)} - {""}
        assert len(accounts) == 3
    assert not Charge.objects.exists()
    for account in accounts:
        other = min(accounts - {account})
        with connect.account(account), connection.cursor() as cursor:
            assert {*Charge.objects.values_list("connect_account_id", flat=True)} <= {account, ""}
            assert not Charge.objects.for_account(other).exists()
            assert not Charge.objects.for_account(other).update(origin="taken")
            with transaction.atomic():
                cursor.execute(FORGE, [account, other])
                cursor.execute(OF_OTHERS, [account])
                assert cursor.fetchall() == [(0,)]
            try:
                Charge.objects.create(connect_account_id=other, stripe_id="ch_planted")
            except ProgrammingError as refused:
                assert "row-level security" in str(refused)  # noqa: PT017 - it may run without pytest
            else:
                raise AssertionError("a row was planted")


if __name__ == "__main__":
    main(sys.argv[1])
