"""Owns how an unforeseen error is told in a log: what and where, and nothing of what it was about."""

from __future__ import annotations

import traceback


def where(error: BaseException) -> str:
    """Return the error's type and the lines it came through.

    Not its message: PostgreSQL's quotes the row, and the SDK's may quote the request.
    """
    lines = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__}\n{lines}" if lines else type(error).__name__
