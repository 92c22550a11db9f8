"""Owns what OpenTelemetry is told, if its API is installed: spans and numbers, and nothing of what is in an event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Literal

try:
    from opentelemetry import metrics, trace
except ImportError:
    IS_INSTALLED = False
else:
    IS_INSTALLED = True
    _tracer: Final = trace.get_tracer("connect")
    _meter: Final = metrics.get_meter("connect")
    _counters: Final = {
        name: _meter.create_counter(f"connect.events.{name}", unit="{event}", description=text)
        for name, text in {
            "received": "Events that were stored; each once, however often it was delivered.",
            "processed": "Events that are done.",
            "failed": "Attempts to process an event that failed.",
        }.items()
    }
    _lag: Final = _meter.create_histogram(
        "connect.lag",
        unit="s",
        description="How long the oldest event of a batch had waited when its rows were written.",
    )

NOTHING: Final = nullcontext()


def span(name: str, **attributes: str | bool | int) -> AbstractContextManager[object]:
    """Make a span of a block. Of an exception it tells the type: the message may quote an event."""
    return _span(name, attributes) if IS_INSTALLED else NOTHING


def count(name: Literal["received", "processed", "failed"], number: int = 1) -> None:
    """Add to one of the counters of events."""
    if IS_INSTALLED and number:
        _counters[name].add(number)


def waited(seconds: float) -> None:
    """Tell how long an event had waited for its rows."""
    if IS_INSTALLED:
        _lag.record(seconds)


@contextmanager
def _span(name: str, attributes: dict[str, str | bool | int]) -> Iterator[None]:
    with _tracer.start_as_current_span(
        name,
        attributes={f"connect.{key}": value for key, value in attributes.items()},
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except BaseException as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(trace.StatusCode.ERROR)
            raise
