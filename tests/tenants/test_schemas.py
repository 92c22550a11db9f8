"""Schemas need django-tenants' backend, which is chosen when Django starts: their tests run in a pytest of theirs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.parametrize("mode", ["schemas", "unplaced"])
def test_each_of_them_passes(mode):
    command = [sys.executable, "-m", "pytest", str(HERE / mode), "-p", "no:cacheprovider", "-q"]
    settings = f"--ds=tests.tenants.{mode}.settings"
    # A process of its own, not a part of the run that this test is in.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        [*command, settings],
        cwd=HERE.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
