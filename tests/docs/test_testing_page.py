"""docs/testing.md does what it says: its project's tests pass, its commands run, its tables are complete."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from connect.testing import StandIn, Switches
from connect.testing.faults import KINDS
from tests.connect.testing.test_plugin import LOADED
from tests.docs.test_readme import AROUND, ROOT

PAGE = (ROOT / "docs/testing.md").read_text()
SETTINGS = """
from django_stripe import APPS
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django_stripe",
    *APPS,
    "connect",
]
"""


@pytest.fixture
def project(tmp_path, django_db_setup):
    """The page's files, and a name for a test database that no other run has."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    for name, code in re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(code)
    database = settings.DATABASES["default"]
    kept = {key: database[key] for key in ("ENGINE", "USER", "PASSWORD", "HOST", "PORT")}
    kept |= {"NAME": "postgres", "TEST": {"NAME": f"testing_page_{os.getpid()}"}}
    (tmp_path / "settings.py").write_text(
        f"{SETTINGS}{AROUND}\nDATABASES = {{'default': {kept!r}}}\n"
    )
    yield tmp_path
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        name = sql.Identifier(kept["TEST"]["NAME"])
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(name))


def test_the_projects_tests_pass(project):
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "settings",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(project)]),
        "PYTEST_ADDOPTS": "",
    }
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(project), "-c", os.devnull]
    command += [*LOADED, "-p", "no:cacheprovider", str(project)]
    ran = subprocess.run(
        command,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    told = re.findall(r"^def (test_\w+)", PAGE, re.MULTILINE)
    assert f"{len(told)} passed" in ran.stdout, ran.stdout[-4000:] + ran.stderr[-2000:]
    assert len(told) == 5


def test_the_commands_run():
    if shutil.which("curl") is None:
        pytest.skip("curl is not here, which the page's commands use")
    first, *commands = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)[0].strip().splitlines()
    assert first == "python -m connect.testing --port 12111 &"
    with StandIn() as stand_in:
        for command in commands:
            words = shlex.split(command.replace("http://127.0.0.1:12111", stand_in.url))
            said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
            answer = json.loads(said.stdout)
            assert not isinstance(answer, dict) or "error" not in answer, command
    assert len(commands) == 8


def test_the_tables_name_every_switch_and_every_fault():
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    switches = {field.name for field in fields(Switches)}
    fixtures = {"stripe", "merchants", "deliver", "webhook", "stripe_server"}
    assert sorted(rows) == sorted([*switches, *KINDS, *fixtures])


def test_every_path_of_the_page_is_there():
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (Path(ROOT / "docs") / link).exists(), link
