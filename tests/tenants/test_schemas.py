"""Schemas need django-tenants' backend, which is chosen when Django starts: their tests run in a pytest of theirs.

Each in a database of its own: nothing there asks pytest-django for one.
"""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

HERE = Path(__file__).parent


@pytest.fixture
def database_url():
    url, name = os.environ["DATABASE_URL"], f"schemas_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        yield make_conninfo(url, dbname=name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


# Those that take long by themselves, so that the others run beside them.
POOLERS = [HERE / "schemas/test_poolers.py"]
MOVING = sorted(HERE.glob("schemas/test_moving*.py"))
RUNS = {
    "poolers": POOLERS,
    "moving": MOVING,
    "schemas": [HERE / "schemas", *(f"--ignore={each}" for each in [*POOLERS, *MOVING])],
    "unplaced": [HERE / "unplaced"],
}


@pytest.mark.parametrize("run", RUNS)
def test_each_of_them_passes(run, database_url):
    mode = "unplaced" if run == "unplaced" else "schemas"
    command = [sys.executable, "-m", "pytest", *map(str, RUNS[run]), "-q"]
    command += ["-p", "no:cacheprovider"]
    settings = f"--ds=tests.tenants.{mode}.settings"
    # A process of its own, not a part of the run that this test is in.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        [*command, settings],
        cwd=HERE.parents[1],
        env=environment | {"DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
