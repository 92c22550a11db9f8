"""An event that is delivered many times at once: over real HTTP, it is stored once and handled once."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext

import pytest
from django.conf import settings as django_settings
from django.core.servers.basehttp import ThreadedWSGIServer
from django.core.wsgi import get_wsgi_application

import connect
from connect.models import InboxEvent
from django_stripe.customer.models import Customer
from example_platform.serving import HOST, Handler
from tests.conftest import customer, signature
from tests.connect.working import effects, leave_an_effect, wait_until, working

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERIES = 100
SERVER_THREADS = 20
"""As many as a web server may have; each has a connection to the database, of which there are a hundred at most."""


class Server(ThreadedWSGIServer):
    """Accepts all connections at once, and works on some at a time."""

    request_queue_size = DELIVERIES
    threads = threading.BoundedSemaphore(SERVER_THREADS)

    def process_request_thread(self, request, client_address):
        with self.threads:
            super().process_request_thread(request, client_address)


@contextmanager
def serving():
    server = Server((HOST, 0), Handler)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
    connect.on("*")(leave_an_effect)
    event = deliver.event("customer.created", customer())
    with serving() as port, working(2) if processing == "worker" else nullcontext():
        answers = deliver_at_once(port, event)
        wait_until(lambda: InboxEvent.objects.get().state == "processed")
    assert sorted(answers) == [(200, "Received before.\n")] * 99 + [(200, "Received.\n")]
    assert effects() == [event["id"]]
    assert Customer.objects.count() == 1
