"""The settings of the processes that are killed."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.connect.kill"]
DATABASES["default"]["CONN_MAX_AGE"] = 60
CONNECT_PROCESSING = os.environ.get("KILL_PROCESSING", "worker")
