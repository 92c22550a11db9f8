"""What OpenTelemetry is told of an event's way, where it is installed; and what it costs where it is not."""

import subprocess
import sys
from datetime import timedelta

import pytest
from opentelemetry import trace

import connect
from connect.models import InboxEvent
from connect.worker import Worker
from tests.conftest import customer

pytestmark = pytest.mark.django_db(transaction=True)

NO_API = """
import sys, time
sys.modules["opentelemetry"] = None  # what import makes of a package that is not there
from connect import telemetry
assert not telemetry.IS_INSTALLED
calls = 100_000
begun = time.process_time()
for _ in range(calls):
    with telemetry.span("connect.handler", handler="shop.hear", event_type="payout.failed"):
        telemetry.count("processed")
print((time.process_time() - begun) / calls)
"""


@pytest.fixture
def counted(exported):
    """Return a function that gives what was added to each number since the test began."""

    def totals():
        data = exported[1].get_metrics_data()
        sums = dict.fromkeys(("received", "processed", "failed", "lag"), 0)
        for resource in data.resource_metrics if data else []:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = metric.data.data_points
                    name = metric.name.removeprefix("connect.events.").removeprefix("connect.")
                    sums[name] = sum(getattr(point, "value", None) or point.sum for point in points)
        return sums

    before = totals()
    return lambda: {name: value - before[name] for name, value in totals().items()}


def test_receiving_is_a_span_and_a_number_and_a_duplicate_is_none(deliver, spans, counted):
    event = deliver.event("customer.created", customer())
    for _ in range(2):
        deliver.post(event)
    (first, _) = spans("connect.receive")
    assert dict(first.attributes) == {
        "connect.endpoint": "connect",
        "connect.event_type": "customer.created",
    }
    assert counted() == {
        "received": 1,
        "processed": 1,
        "failed": 0,
        "lag": pytest.approx(0, abs=30),
    }


def test_a_handler_is_a_span_that_names_it(deliver, spans, counted, routes):
    connect.on("customer.*")(_hear)
    deliver("customer.created", customer())
    (span,) = spans("connect.handler")
    assert dict(span.attributes) == {
        "connect.handler": f"{__name__}._hear",
        "connect.event_type": "customer.created",
    }
    assert span.status.is_unset
    assert counted()["processed"] == 1


def _hear(event):
    pass


def test_of_a_handler_that_raises_the_span_tells_the_type_alone(deliver, spans, counted, routes):
    @connect.on("customer.*")
    def raises(event):
        raise ValueError("jane@example.com")

    deliver("customer.created", customer())
    (span,) = spans("connect.handler")
    assert span.attributes["error.type"] == "ValueError"
    assert span.status.status_code == trace.StatusCode.ERROR
    assert span.events == ()
    assert "jane" not in span.to_json()
    assert counted() == {
        "received": 1,
        "processed": 0,
        "failed": 1,
        "lag": pytest.approx(0, abs=30),
    }


def test_a_batch_is_a_span_and_its_events_are_numbers(deliver, spans, counted, settings, routes):
    settings.CONNECT_PROCESSING = "worker"
    connect.on("payout.*")(_hear)
    for number in range(3):
        deliver("customer.created", customer(f"cus_{number}"))
    deliver("payout.failed", {"id": "po_1", "object": "payout"})
    deliver("customer.created", customer("cus_refused", metadata={"x": "\0"}))
    InboxEvent.objects.update(
        received_at=InboxEvent.objects.first().received_at - timedelta(hours=1)
    )
    Worker().run_once()
    (span,) = spans("connect.drain.batch")
    assert dict(span.attributes) == {
        "connect.events": 5,
        "connect.lanes": 1,
        "connect.account": "acct_A",
        "connect.livemode": False,
    }
    assert len(spans("connect.handler")) == 1
    hour = pytest.approx(3600, abs=30)
    assert counted() == {"received": 5, "processed": 4, "failed": 1, "lag": hour}


def test_a_batch_of_many_accounts_names_none(deliver, spans, settings):
    settings.CONNECT_PROCESSING = "worker"
    for account in ("acct_A", "acct_B"):
        deliver("customer.created", customer(), account=account)
    Worker().run_once()
    (span,) = spans("connect.drain.batch")
    assert dict(span.attributes) == {"connect.events": 2, "connect.lanes": 2}


def test_a_round_with_nothing_to_do_is_no_span(spans):
    Worker().run_once()
    assert spans("connect.drain.batch") == []


def test_where_it_is_not_installed_nothing_is_told_and_next_to_nothing_spent():
    command = [sys.executable, "-c", NO_API]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 2e-6 * 2  # two calls
