"""An event that is delivered many times at once: over real HTTP, it is stored once and handled once."""

import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from django.conf import settings as django_settings

import connect
from connect.models import InboxEvent
from django_stripe.customer.models import Customer
from tests.conftest import customer, signature
from tests.connect.serving import HOST, serving
from tests.connect.working import effects, leave_an_effect, wait_until, working

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERIES = 100


def deliver_at_once(port, event):
    """Post `event` a hundred times, all at the same moment; return the answers."""
    body = json.dumps(event).encode()
    header = signature(body, django_settings.STRIPE_WEBHOOK_SECRETS["connect"][0])
    together = threading.Barrier(DELIVERIES)

    def post(_):
        client = http.client.HTTPConnection(HOST, port, timeout=60)
        client.connect()
        together.wait(timeout=60)
        client.request("POST", "/stripe/webhooks/connect/", body, {"Stripe-Signature": header})
        response = client.getresponse()
        text = response.read().decode()
        client.close()
        return response.status, text

    with ThreadPoolExecutor(DELIVERIES) as pool:
        return list(pool.map(post, range(DELIVERIES)))


@pytest.mark.parametrize("processing", ["inline", "worker"])
def test_a_hundred_deliveries_at_once_of_one_event_are_one_row_and_one_effect(
    deliver, routes, settings, processing
):
    settings.CONNECT_PROCESSING = processing

    @connect.on("*")
    def handle(event):
        time.sleep(0.2)  # long enough for all others to come upon it
        leave_an_effect(event)

    event = deliver.event("customer.created", customer())
    with serving() as port, working(2) if processing == "worker" else nullcontext():
        answers = deliver_at_once(port, event)
        wait_until(lambda: InboxEvent.objects.get().state == "processed")
    assert sorted(answers) == [(200, "Received before.\n")] * 99 + [(200, "Received.\n")]
    assert effects() == [event["id"]]
    assert Customer.objects.count() == 1
