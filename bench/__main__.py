"""Runs all measures: `python -m bench [PYTHON]`, with the Python of the environment that has dj-stripe."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Final

from bench import end_to_end, product, server, webhooks

DJSTRIPE_PYTHON: Final = ".venv-djstripe/bin/python"

MODULES: Final = ("mirroring", "draining", "poison", "provisioning", "lookup", "row_security")
"""What is measured in a process and a database of its own. The last takes some minutes: it fills in a million rows."""


def _main(djstripe_python: Path) -> None:
    if not djstripe_python.exists():
        raise SystemExit(
            f"There is no {djstripe_python}: `make bench` makes dj-stripe's environment."
        )
    with server.running() as running:
        for module in MODULES:
            with running.database(f"bench_{module}") as url:
                product.run(f"bench.{module}", url)
        with running.statements() as statements:
            webhooks.measure(running, statements, djstripe_python)
            end_to_end.measure(running, statements, djstripe_python)


if __name__ == "__main__":
    # Ended politely, it leaves nothing behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _main(Path(*sys.argv[1:2] or [DJSTRIPE_PYTHON]))
