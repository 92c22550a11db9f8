"""Owns what handlers do here: rows of plain tables, and lines of a file that knows no transactions."""

from __future__ import annotations

from zlib import crc32

OUTSIDE = "KILL_OUTSIDE"
"""The variable that names the file."""

TABLES = """
CREATE TABLE kill_effect (account text, event_id text);
CREATE TABLE kill_second (event_id text);
CREATE TABLE kill_sum (account text, n int);
"""


def stumbles(event_id: str) -> bool:
    """Say whether the second handler fails at its first attempt at this event."""
    return crc32(event_id.encode()) % 50 == 0
