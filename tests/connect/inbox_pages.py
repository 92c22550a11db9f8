"""What the tests of the inbox's admin share: delivered events and their pages."""

import json

from django.urls import reverse

from connect.inbox import receive
from connect.models import InboxEvent
from django_stripe.event import parse_event

CHANGELIST = "/admin/connect/inboxevent/"
State = InboxEvent.State


def change(event):
    return reverse("admin:connect_inboxevent_change", args=[event.pk])


def delivered(number=1, *, account="acct_1", **event_fields):
    """Return a stored, unprocessed event about charge ``ch_<number>``."""
    charge = {"id": f"ch_{number}", "object": "charge", "created": 1_700_000_000}
    body = {
        "id": f"evt_{number}",
        "object": "event",
        "type": "charge.succeeded",
        "account": account,
        "livemode": False,
        "created": 1_700_000_000,
        "data": {"object": charge},
        **event_fields,
    }
    return InboxEvent.objects.get(pk=receive(parse_event(json.dumps(body)), endpoint="connect"))


def messages_of(response):
    return [str(message) for message in response.context["messages"]]
