"""Owns the lines that are printed: ``bench NAME VALUE UNIT ratio R of WHAT``. Nothing fails because of them."""

from __future__ import annotations

from statistics import median
from typing import Final

SIGNIFICANT_FROM: Final = 100


def line(name: str, value: float, unit: str, ratio: float, of: str) -> None:
    """Print one measure."""
    digits = 0 if value >= SIGNIFICANT_FROM else 1
    print(f"bench {name} {value:.{digits}f} {unit} ratio {ratio:.2f} of {of}", flush=True)


def floor(name: str, ratio: float, least: float) -> None:
    """Remark on the measure `name` if its ratio is below what it is to reach."""
    if ratio < least:
        print(
            f"MISSED floor of {name}: the ratio is {ratio:.2f}, to be at least {least}", flush=True
        )


def ceiling(name: str, value: float, most: float) -> None:
    """Remark on the measure `name` if its value is above what it may cost."""
    if value > most:
        print(f"MISSED ceiling of {name}: it is {value:.2f}, to be at most {most}", flush=True)


def remark(text: str) -> None:
    """Print what a reader of the measures has to know."""
    print(f"# {text}", flush=True)


def median_ratio(seconds: list[float], reference_seconds: list[float]) -> float:
    """Return how much faster than the reference, in the middle of rounds that were run in turns."""
    return median(r / s for s, r in zip(seconds, reference_seconds, strict=True))
