"""What the tests of the webhooks share: OpenTelemetry, as a project sets it up."""

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.connect.thin_events import merchant, thin  # noqa: F401 - fixtures


class Exporter(InMemorySpanExporter):
    """Keeps spans only while a test looks at them: the process goes on with other tests."""

    is_looked_at = False

    def export(self, spans):
        return super().export(spans if self.is_looked_at else ())


@pytest.fixture(scope="session")
def exported():
    """What arrives where OpenTelemetry is set up, which a process can do once."""
    spans, numbers = Exporter(), InMemoryMetricReader()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracing)
    metering = MeterProvider([numbers])
    metrics.set_meter_provider(metering)
    yield spans, numbers
    tracing.shutdown()
    metering.shutdown()


@pytest.fixture
def spans(exported):
    """Return a function that gives the spans of a name since the test began."""
    exporter, _ = exported
    exporter.is_looked_at = True
    yield lambda name: [span for span in exporter.get_finished_spans() if span.name == name]
    exporter.is_looked_at = False
    exporter.clear()
