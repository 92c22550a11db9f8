"""The README does what it says: its files make a project, its commands exist."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from tests.conftest import NOW_UNIX, signature

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SECRET = "whsec_c0nneCTC0NNECTc0nnect567890"

# What a project has anyway, and the README does not tell.
AROUND = """
SECRET_KEY = "x"
USE_TZ = True
ROOT_URLCONF = "urls"
ALLOWED_HOSTS = ["testserver"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
"""

STORY = """
import json, sys
import django
django.setup()
from django.test import Client
from django_stripe.charge.models import Charge
from shop import dashboard
for body, header in json.load(sys.stdin):
    response = Client().post("/stripe/webhooks/connect/", data=body, content_type="application/json",
                             headers={"Stripe-Signature": header})
    assert response.status_code == 200, response.content
print(json.dumps([str(c) for c in dashboard.latest("acct_A")]))
print(json.dumps(list(dashboard.sales("acct_A"))))
print(json.dumps(Charge.objects.for_account("acct_B").count()))
"""


def blocks():
    return dict(re.findall(r"```python\n# (\S+)\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def project(tmp_path, django_db_setup):
    """The README's files, with a database of their own."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").touch()
    for name, code in blocks().items():
        (tmp_path / name).write_text(code)
    database = settings.DATABASES["default"] | {"NAME": f"readme_{os.getpid()}"}
    kept = {key: database[key] for key in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")}
    with (tmp_path / "settings.py").open("a") as file:
        file.write(f"{AROUND}\nDATABASES = {{'default': {kept!r}}}\n")
    server = os.environ["DATABASE_URL"]
    name = sql.Identifier(database["NAME"])
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    yield tmp_path
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def run(project, *arguments, given=""):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": f"{project}{os.pathsep}{ROOT}",
            "STRIPE_API_KEY": "sk_live_x",
            "STRIPE_PLATFORM_SECRET": SECRET,
            "STRIPE_CONNECT_SECRET": SECRET,
        },
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def charge(number, account):
    value = {
        "id": f"ch_{number}",
        "object": "charge",
        "amount": 100 * number,
        "currency": "usd",
        "status": "succeeded",
        "created": NOW_UNIX + number,
    }
    event = {
        "id": f"evt_{number}",
        "object": "event",
        "type": "charge.succeeded",
        "account": account,
        "livemode": True,
        "created": NOW_UNIX + number,
        "data": {"object": value},
    }
    body = json.dumps(event)
    return body, signature(body.encode(), SECRET)


def test_its_files_make_a_project_that_mirrors_charges_by_account(project):
    assert set(blocks()) == {
        "settings.py",
        "urls.py",
        "shop/dashboard.py",
        "shop/stripe_handlers.py",
        "shop/checkout.py",
    }
    assert "no issues" in run(project, "-m", "django", "check")
    run(project, "-m", "django", "migrate", "--verbosity=0")
    deliveries = [charge(1, "acct_A"), charge(3, "acct_B"), charge(2, "acct_A")]
    latest, sales, others = run(project, "-c", STORY, given=json.dumps(deliveries)).splitlines()
    assert json.loads(latest) == ["ch_2", "ch_1"]
    assert json.loads(sales) == [{"currency": "usd", "sold": 300}]
    assert json.loads(others) == 1
    run(project, "-c", "import django; django.setup(); import shop.checkout")


def test_its_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    commands = set(re.findall(r"make ([a-z]+)", README))
    assert commands >= {"demo", "test", "smoke"}
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


def test_its_settings_are_those_that_are_read():
    table = set(re.findall(r"^\| `([A-Z_]+)`", README, re.MULTILINE))
    source = "".join(
        path.read_text()
        for package in ("django_stripe", "connect")
        for path in (ROOT / package).rglob("*.py")
    )
    read = set(re.findall(r'"((?:STRIPE|CONNECT)_[A-Z_]+)"', source))
    assert table == read - {"STRIPE_WEBHOOK_SECRET"}


def test_its_links_lead_somewhere():
    pages = [
        ROOT / "README.md",
        ROOT / "ARCHITECTURE.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    for page in pages:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
