"""Owns how a command tells how far it is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from typing import Final

from django.core.management.base import OutputWrapper

BAR_EVERY_SECONDS: Final = 0.2
LINE_EVERY_SECONDS: Final = 5.0
BAR_COLUMNS: Final = 30


class Progress:
    """Tells how much of `total` is done, no more often than anybody reads."""

    def __init__(self, out: OutputWrapper, label: str, total: int) -> None:
        self._out = out
        self._label = label
        self._total = total
        self._bar = out.isatty()
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether anybody would read it: ask before you count."""
        return time.monotonic() >= self._next

    def tell(self, done: int) -> None:
        """Say that `done` are done."""
        done = min(max(done, 0), self._total)
        text = f"{self._label}: {done:,} of {self._total:,}"
        if self._bar:
            filled = BAR_COLUMNS * done // max(self._total, 1)
            self._out.write(f"\r[{'#' * filled:{BAR_COLUMNS}}] {text}", ending="")
            self._out.flush()
        else:
            self._out.write(text)
        self._next = time.monotonic() + (BAR_EVERY_SECONDS if self._bar else LINE_EVERY_SECONDS)

    def end(self, done: int) -> None:
        """Say so for the last time."""
        self.tell(done)
        if self._bar:
            self._out.write("")
