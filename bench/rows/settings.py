"""The settings of a project whose rows are kept apart, with a second way in that no wall holds."""

from __future__ import annotations

import os

from bench.ours.settings import *  # noqa: F403
from bench.ours.settings import DATABASES, INSTALLED_APPS
from example_platform.database import database

TENANTS_ISOLATION = "rows"
TENANTS_RLS_OWNER = "owner"
INSTALLED_APPS = [*INSTALLED_APPS, "tenants"]
for _alias in ("owner", "free"):
    _url = os.environ[f"BENCH_{_alias.upper()}_URL"]
    DATABASES[_alias] = database(_url) | {"CONN_MAX_AGE": None}
