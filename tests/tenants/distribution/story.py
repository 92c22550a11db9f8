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
from django.db import connections
from django.test import Client

from example_platform.environment import OWNER_URL
from example_platform.roles import serving_role

os.environ["DJANGO_SETTINGS_MODULE"] = "example_platform.settings"


def main(file: str) -> None:
    with ExitStack() as resources:
        if os.environ["TENANTS_ISOLATION"] == "rows":
            owner_url = os.environ[OWNER_URL] = os.environ["DATABASE_URL"]
            serving = resources.enter_context(serving_role(owner_url, stays=True))
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
        found = [[who, text, forms] for (who, text), forms in recorder.sent.items()]
        Path(file).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
