"""The smoke story on Citus itself, where there is one."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.tenants.distribution.conftest import NAMES, tell_the_story

NODES = "SELECT nodename, nodeport FROM pg_dist_node WHERE isactive ORDER BY groupid"


@contextmanager
def database_on_all_nodes(url):
    """Make a database on the coordinator of `url` and on its workers, and let them know each other; drop it."""
    name = f"story_{secrets.token_hex(6)}"
    with psycopg.connect(url) as connection:
        nodes = [
            make_conninfo(url, host=host, port=port) for host, port in connection.execute(NODES)
        ]
    for node in nodes:
        with psycopg.connect(node, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(make_conninfo(node, dbname=name), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION citus")
    coordinator, *workers = (make_conninfo(node, dbname=name) for node in nodes)
    try:
        with psycopg.connect(coordinator, autocommit=True) as connection:
            place = conninfo_to_dict(coordinator)
            connection.execute(
                "SELECT citus_set_coordinator_host(%s, %s)", [place["host"], int(place["port"])]
            )
            for worker in map(conninfo_to_dict, workers):
                connection.execute(
                    "SELECT citus_add_node(%s, %s)", [worker["host"], int(worker["port"])]
                )
        yield coordinator
    finally:
        for node in nodes:
            with psycopg.connect(node, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.citus
@pytest.mark.parametrize("isolation", ["rows", "schemas"])
def test_the_smoke_story_holds_on_citus(isolation, tmp_path):
    """CITUS_DATABASE_URL: any database with the extension, of a superuser's, on a coordinator with workers."""
    given = os.environ.get("CITUS_DATABASE_URL")
    if not given:
        pytest.skip("CITUS_DATABASE_URL is not set: Citus is in no package index, and not run here")
    with database_on_all_nodes(given) as url:
        place = {"DATABASE_URL": url, "CITUS_DATABASE_URL": url, "TENANTS_ISOLATION": isolation}
        done = tell_the_story(tmp_path / "sent.json", **place)
        assert done.returncode == 0, done.stdout + done.stderr
        (facts,) = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
        assert facts["merchants"] == 3
        with psycopg.connect(url) as connection:
            spread = connection.execute("SELECT count(*) FROM pg_dist_partition").fetchone()
            assert spread is not None
            assert spread[0] >= len(NAMES)
