"""Starts a PostgreSQL for the tests before Django reads its settings, and prints what they measured."""

import os
from contextlib import ExitStack

import pytest

from example_platform import postgres

_resources = ExitStack()
_reports: list[str] = []


def report(line: str) -> None:
    """Have `line` printed when all tests have run, in whatever process they did."""
    _reports.append(line)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    if "DATABASE_URL" not in os.environ:
        server = _resources.enter_context(postgres.running(durable=False))
        os.environ["DATABASE_URL"] = server.url


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Whole runs first, of a minute each: at the end, one process would wait for the other.
    items.sort(key=lambda item: "test_schemas.py" not in item.nodeid)


def pytest_unconfigure() -> None:
    _resources.close()


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)  # set by xdist, in its workers
    if output is not None:
        output["reports"] = _reports


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    _reports.extend(getattr(node, "workeroutput", {}).get("reports", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in _reports:
        terminalreporter.write_line(line)
