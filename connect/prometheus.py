"""Owns the text that Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connect.health import EndpointHealth, Health

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Gauge = Callable[[EndpointHealth], float | None]

GAUGES: Final[dict[str, tuple[str, Gauge]]] = {
    "waiting": ("Events that are received and not done.", lambda e: e.waiting),
    "oldest_waiting_seconds": (
        "Time since the oldest waiting event that was not tried before was received.",
        lambda e: e.oldest_waiting_seconds,
    ),
    "lag_seconds": ("Time since that event was created at Stripe.", lambda e: e.lag_seconds),
    "retrying": ("Events that failed and are tried again.", lambda e: e.retrying),
    "overdue": ("Events that failed and whose next attempt is due.", lambda e: e.overdue),
    "overdue_seconds": ("Time since the first of these was due.", lambda e: e.overdue_seconds),
    "dead": ("Events that failed and are not tried again.", lambda e: e.dead),
    "parked": ("Events that are parked.", lambda e: e.parked),
    "newest_received_timestamp_seconds": (
        "When the newest event was received.",
        lambda e: e.newest_received_at.timestamp() if e.newest_received_at else None,
    ),
}


def prometheus_text(health: Health) -> str:
    """Return the health as gauges by endpoint; what is not known has no line."""
    lines: list[str] = []
    for name, (text, gauge) in GAUGES.items():
        metric = f"connect_inbox_{name}"
        lines += [f"# HELP {metric} {text}", f"# TYPE {metric} gauge"]
        for endpoint, health_of_it in health.endpoints.items():
            value = gauge(health_of_it)
            if value is not None:
                lines.append(f'{metric}{{endpoint="{_escaped(endpoint)}"}} {value}')
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
