"""Starts the tests' PostgreSQL before Django reads its settings, unless DATABASE_URL names one."""

import os
from contextlib import ExitStack

import pytest

from example_platform import postgres

_resources = ExitStack()


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    if "DATABASE_URL" not in os.environ:
        server = _resources.enter_context(postgres.running(durable=False))
        os.environ["DATABASE_URL"] = server.url


def pytest_unconfigure() -> None:
    _resources.close()
