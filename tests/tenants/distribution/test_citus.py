"""The smoke story on Citus itself, where there is one."""

from __future__ import annotations

import json
import os

import psycopg
import pytest

from tests.tenants.distribution.conftest import NAMES, tell_the_story


@pytest.mark.citus
@pytest.mark.parametrize("isolation", ["rows", "schemas"])
def test_the_smoke_story_holds_on_citus(isolation, tmp_path):
    """CITUS_DATABASE_URL: an empty database with the extension, on a coordinator with workers, for each run."""
    url = os.environ.get("CITUS_DATABASE_URL")
    if not url:
        pytest.skip(
            "CITUS_DATABASE_URL is not set: Citus is in no package index, and is not run here"
        )
    place = {"DATABASE_URL": url, "CITUS_DATABASE_URL": url, "TENANTS_ISOLATION": isolation}
    done = tell_the_story(tmp_path / "sent.json", **place)
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["merchants"] == 3
    with psycopg.connect(url) as connection:
        spread = connection.execute("SELECT count(*) FROM pg_dist_partition").fetchone()
    assert spread is not None
    assert spread[0] >= len(NAMES)
