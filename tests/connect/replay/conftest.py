"""`connect_replay` as a shell would run it, over six events."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from connect.models import InboxEvent
from tests.conftest import customer

State = InboxEvent.State


class Terminal(io.StringIO):
    """What a person sees, or types."""

    def isatty(self):
        return True


def run(*arguments, out=None, err=None):
    out = out or io.StringIO()
    call_command("connect_replay", *arguments, stdout=out, stderr=err or io.StringIO())
    return out.getvalue()


def states():
    return dict(InboxEvent.objects.order_by("id").values_list("event_id", "state"))


def replayed():
    """Return the numbers of the events that were put back."""
    rows = InboxEvent.objects.filter(state=State.RECEIVED).order_by("id")
    return [
        int(event_id.removeprefix("evt_")) for event_id in rows.values_list("event_id", flat=True)
    ]


@pytest.fixture
def kept(settings):
    """Leave the work to workers: what was put back is seen as it is."""
    settings.CONNECT_PROCESSING = "worker"


@pytest.fixture
def inbox(deliver, kept):
    """Six events: four that are done, one of which is live; a parked and an ignored one."""
    deliver("charge.succeeded", {"id": "ch_1", "object": "charge"}, account="acct_A")
    deliver("charge.refunded", {"id": "ch_1", "object": "charge"}, account="acct_B")
    deliver("payout.failed", {"id": "po_1", "object": "payout"}, account=None)
    deliver("customer.created", customer(), account="acct_A", livemode=True)
    deliver("charge.succeeded", {"id": "ch_5", "object": "charge"}, account="acct_A")
    deliver("charge.succeeded", {"id": "ch_6", "object": "charge"}, account="acct_A")
    InboxEvent.objects.update(state=State.PROCESSED, processed_at=timezone.now())
    for event_id, state in (("evt_000005", State.PARKED), ("evt_000006", State.IGNORED)):
        InboxEvent.objects.filter(event_id=event_id).update(state=state, error="because")
    InboxEvent.objects.filter(event_id="evt_000002").update(
        state=State.FAILED, attempts=12, error="hear: ValueError"
    )
    InboxEvent.objects.filter(event_id="evt_000003").update(
        endpoint="platform", received_at=timezone.now() - timedelta(hours=3)
    )
