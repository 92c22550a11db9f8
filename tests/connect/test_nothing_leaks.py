"""What is personal in an event, and what is secret here, stays there: it is in no log, no error, no number, no span."""

import json
import logging

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client

import connect
from connect.models import InboxEvent
from connect.processing import process
from connect.worker import Worker
from tests.conftest import NOW_UNIX, signature

pytestmark = pytest.mark.django_db(transaction=True)

PERSONAL = "jane.doe@personal.example"
TOKEN = "a-token-of-twenty-characters-or-more"
SECRETS = [
    django_settings.STRIPE_API_KEY,
    TOKEN,
    *(s for secrets in django_settings.STRIPE_WEBHOOK_SECRETS.values() for s in secrets),
]

# Fields that PostgreSQL or the mirror stumbles over, beside those that are personal.
REFUSED = {
    "a NUL": {"description": f"{PERSONAL}\0"},
    "a number out of range": {"amount": 10**30, "description": PERSONAL},
    "a number that is a text": {"amount": PERSONAL, "created": PERSONAL},
    "a flag that is a text": {"captured": PERSONAL, "livemode": PERSONAL, "paid": PERSONAL},
    "an id that is none": {"id": f"{PERSONAL}\n"},
    "an object that is none": {"object": f"{PERSONAL}\n"},
    "a customer of another kind": {"customer": [PERSONAL], "metadata": PERSONAL},
}

ENVELOPES = {
    "an account": {"account": [PERSONAL]},
    "a mode": {"livemode": PERSONAL},
    "a time": {"created": PERSONAL},
    "a type": {"type": f"{PERSONAL}\n"},
    "an id": {"id": {"email": PERSONAL}},
    "data": {"data": {"object": PERSONAL}},
    "an object": {"object": PERSONAL},
}

BODIES = {
    "no JSON": f'{{"email": "{PERSONAL}"'.encode(),
    "no JSON either": f'{{"email": {PERSONAL}}}'.encode(),
    "a text": json.dumps(PERSONAL).encode(),
    "an array": json.dumps([PERSONAL]).encode(),
    "no UTF-8": b'{"id": "\xff", "email": "' + PERSONAL.encode() + b'"}',
    "NaN": f'{{"email": "{PERSONAL}", "amount": NaN}}'.encode(),
    "nesting": (f'{{"{PERSONAL}": ' + "[" * 5000 + "]" * 5000 + "}").encode(),
    "a control character": f'{{"email": "{PERSONAL}\n"}}'.encode(),
}


def charge(**fields):
    """A charge that is personal in all but its id."""
    return {
        "id": "ch_1",
        "object": "charge",
        "created": NOW_UNIX,
        "status": PERSONAL,
        "customer": PERSONAL,
        "receipt_email": PERSONAL,
        "billing_details": {"email": PERSONAL, PERSONAL: [PERSONAL, {PERSONAL: PERSONAL}]},
        "metadata": {PERSONAL: PERSONAL},
        "description": PERSONAL,
    } | fields


@pytest.fixture
def told(settings, caplog, capfd, spans):
    """Return a function that gives everything that was told to anybody about the events."""
    settings.CONNECT_HEALTH_TOKEN = TOKEN
    caplog.set_level(logging.DEBUG)
    # Django's log of statements is for development, and shows them with their values.
    logging.getLogger("django.db.backends").setLevel(logging.INFO)
    answers = []

    def everything():
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answers.extend(
            Client().get(f"/stripe/{page}/", headers=headers).text for page in ("health", "metrics")
        )
        formatter = logging.Formatter("%(message)s")
        records = [
            formatter.format(record) + repr(record.__dict__.get("args"))
            for record in caplog.records
        ]
        errors = InboxEvent.objects.values_list("error", "handled_by")
        names = ("connect.receive", "connect.handler", "connect.drain.batch")
        traces = [span.to_json() for name in names for span in spans(name)]
        output = capfd.readouterr()
        return "\n".join([*answers, *records, str(list(errors)), *traces, output.out, output.err])

    yield everything
    logging.getLogger("django.db.backends").setLevel(logging.NOTSET)


def assert_silent(text):
    assert PERSONAL not in text
    assert "jane.doe" not in text
    assert "personal.example" not in text
    for secret in SECRETS:
        assert secret not in text


def test_what_is_looked_at_would_show_it(told, deliver, routes):
    """Or nothing of the following could fail."""

    @connect.on("*")
    def hear(event):
        logging.getLogger("shop").error("Heard of %s", event.object["receipt_email"])

    deliver("charge.succeeded", charge())
    InboxEvent.objects.update(error="jane")
    text = told()
    assert f"Heard of {PERSONAL}" in text
    assert "'jane'" in text
    assert "connect_inbox_waiting" in text
    assert "connect.receive" in text


@pytest.mark.parametrize("processing", ["inline", "worker"])
def test_an_event_that_is_processed(told, deliver, routes, settings, processing):
    settings.CONNECT_PROCESSING = processing
    connect.on("*")(lambda event: None)
    deliver("charge.updated", charge(), previous_attributes={"description": PERSONAL, PERSONAL: 1})
    deliver("charge.updated", charge(), previous_attributes={"status": PERSONAL})
    Worker().run_once()
    assert set(InboxEvent.objects.values_list("state", flat=True)) == {"processed"}
    assert_silent(told())


@pytest.mark.parametrize("processing", ["inline", "worker"])
@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED)
def test_an_event_that_is_refused_or_odd(told, deliver, settings, fields, processing):
    settings.CONNECT_PROCESSING = processing
    deliver("charge.updated", charge(**fields), previous_attributes=fields)
    Worker().run_once()
    assert_silent(told())


def raises_with_it(event):
    raise ValueError(PERSONAL)


def raises_because_of_it(event):
    try:
        raise KeyError(PERSONAL)
    except KeyError as error:
        raise RuntimeError(f"{PERSONAL} failed") from error


def asks_the_database_for_it(event):
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::int", [PERSONAL])


def breaks_the_transaction(event):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO connect_lane (connect_account_id, livemode) VALUES (%s, NULL)", [PERSONAL]
        )


def fails_at_the_end(event):
    """PostgreSQL looks at such a constraint when the transaction is committed, and quotes the row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE at_the_end (email text UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"
        )
        cursor.execute("INSERT INTO at_the_end VALUES (%s), (%s)", [PERSONAL, PERSONAL])


@pytest.mark.parametrize("processing", ["inline", "worker"])
@pytest.mark.parametrize(
    "handler",
    [
        raises_with_it,
        raises_because_of_it,
        asks_the_database_for_it,
        breaks_the_transaction,
        fails_at_the_end,
    ],
)
def test_a_handler_that_fails_over_it(told, deliver, routes, settings, handler, processing):
    settings.CONNECT_PROCESSING = processing
    connect.on("*")(handler)
    deliver("charge.updated", charge())
    Worker().run_once()
    text = told()
    assert_silent(text)
    assert "Error" in text, "it is told that something failed"


@pytest.mark.parametrize("envelope", ENVELOPES.values(), ids=ENVELOPES)
def test_an_event_that_is_none(told, deliver, envelope):
    response = deliver.post(deliver.event("charge.updated", charge(), **envelope))
    assert response.status_code == 400
    assert_silent(told() + response.text)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_event(told, deliver, body):
    response = deliver.post(body)
    assert response.status_code == 400
    assert_silent(told() + response.text)


@pytest.mark.parametrize(
    "header",
    ["", PERSONAL, f"t={PERSONAL},v1=x", f"t=1,v1={PERSONAL}", signature(b"x", PERSONAL)],
    ids=["none", "text", "time", "signature", "another's"],
)
def test_a_body_that_nobody_signed(told, deliver, header):
    body = json.dumps(deliver.event("charge.updated", charge())).encode()
    response = deliver.post(body, header=header)
    assert response.status_code == 400
    assert_silent(told() + response.text)


def test_an_event_of_a_mode_without_a_key(told, deliver):
    deliver("charge.updated", charge(), livemode=True)
    assert InboxEvent.objects.get().state == "parked"
    assert_silent(told())


def test_what_stripe_cannot_be_asked_about(told, deliver, routes):
    """Two states of one second that only Stripe could tell the order of; nothing listens there."""
    connect.on("*")(lambda event: None)
    for description in (f"{PERSONAL} 1", f"{PERSONAL} 2"):
        deliver("charge.updated", charge(description=description))
    Worker().run_once()
    text = told()
    assert_silent(text)
    assert "APIConnectionError" in text


def test_a_stored_event_that_was_tampered_with(told, deliver, settings):
    settings.CONNECT_PROCESSING = "worker"
    deliver("charge.updated", charge())
    inbox = InboxEvent.objects.get()
    InboxEvent.objects.update(payload=f'{{"{PERSONAL}": ', object_id="")
    with pytest.raises(ValueError, match="not JSON") as raised:
        process(inbox.pk)
    Worker().run_once()
    assert_silent(told() + str(raised.value))
