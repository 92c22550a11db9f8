"""Payloads from public test suites, delivered as Stripe would, to two accounts."""

import json
from decimal import Decimal

import pytest
from django.db import connection

from connect.models import InboxEvent
from django_stripe.registry import model_for, models_by_object
from tests.conftest import SHARED

pytestmark = pytest.mark.django_db(transaction=True)

FILES = sorted((SHARED / "fixtures/events").glob("*/*.json"))


def test_there_are_recorded_events_to_deliver(shared):
    assert len(FILES) >= 82


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_recorded_event_becomes_one_row_in_each_account(deliver, settings, file):
    settings.CONNECT_LIVEMODE_POLICY = "accept"
    body = file.read_text()
    value = json.loads(body, parse_float=Decimal)["data"]["object"]
    for account in ("acct_A", "acct_B"):
        event = json.loads(body) | {"account": account, "id": f"evt_{account}"}
        assert deliver.post(event).status_code == 200
    model = model_for(value.get("object", ""))
    stored = [
        (account, json.loads(data, parse_float=Decimal))
        for each in models_by_object().values()
        for account, data in rows_of(each)
    ]
    states = InboxEvent.objects.values_list("connect_account_id", "state")
    assert sorted(states) == [("acct_A", "processed"), ("acct_B", "processed")]
    assert sorted(stored, key=str) == ([("acct_A", value), ("acct_B", value)] if model else [])


def rows_of(model):
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(model._meta.db_table)
        cursor.execute(f"SELECT connect_account_id, data::text FROM {table}")
        return cursor.fetchall()
