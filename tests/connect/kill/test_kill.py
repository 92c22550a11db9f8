"""The run in short; `make kill` is the whole."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.plugin import report

ROOT = Path(__file__).parents[3]
EVENTS = 1_500
SECONDS_MAX = 180


def test_of_events_that_come_in_while_processes_are_killed_none_is_lost_and_each_has_its_effect_once():
    # What is killed can write no coverage, and half of a file would spoil that of the others.
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    run = subprocess.run(
        [sys.executable, "-m", "tests.connect.kill", str(EVENTS)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    figures = json.loads(run.stdout)
    assert (figures["lost"], figures["rows_wrong"], figures["effects_not_once"]) == (0, 0, 0)
    assert min(figures[attack] for attack in ("worker_kills", "web_kills", "database_restarts"))
    report(f"kill: {run.stdout.strip()}")
