"""The settings that a platform had before it moved to schemas: the same apps, and row-level security."""

import os

from example_platform.database import database
from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.tenants.schemas.orders"]
TENANTS_ISOLATION = "rows"
TENANTS_RLS_OWNER = "owner"
DATABASES["owner"] = database(os.environ["OWNER_URL"])
