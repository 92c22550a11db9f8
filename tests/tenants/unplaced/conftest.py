import os

SETTINGS = "tests.tenants.unplaced.settings"

# Collected by the pytest that has the settings, see ../test_schemas.py.
collect_ignore_glob = [] if os.environ.get("DJANGO_SETTINGS_MODULE") == SETTINGS else ["test_*.py"]
