"""Which events are wanted."""

import json

import pytest

import connect
from connect import signals
from connect.event_types import objects_of, snapshot_types, thin_types
from connect.wanted_events import snapshot_events, thin_events, unknown_patterns
from tests.connect.endpoints.at_stripe import (
    CONNECT,
    PLATFORM,
    at,
    hear,
)


def test_events_are_those_of_what_is_installed():
    events = snapshot_events({"refund"}, [])
    assert events == {"charge.refund.updated", "refund.created", "refund.failed", "refund.updated"}
    assert snapshot_events({"dispute"}, []) == {t for t in snapshot_types() if ".dispute." in t}
    assert snapshot_events({"balance_transaction"}, []) == frozenset()
    assert not [t for t in snapshot_events({"charge"}, []) if t.count(".") > 1]


def test_an_account_is_told_of_when_its_connection_ends():
    assert snapshot_events({"account"}, []) == {
        "account.application.authorized",
        "account.application.deauthorized",
        "account.updated",
    }


@pytest.mark.parametrize(
    ("event_type", "objects"),
    [
        ("charge.dispute.created", ("dispute",)),
        ("charge.refund.updated", ("refund",)),
        ("charge.refunded", ("charge",)),
        ("application_fee.refund.updated", ("fee_refund",)),
        ("application_fee.refunded", ("application_fee",)),
        ("customer.subscription.trial_will_end", ("subscription",)),
        ("customer.tax_id.created", ("tax_id",)),
        ("checkout.session.completed", ("checkout.session",)),
        ("financial_connections.account.created", ("financial_connections.account",)),
        ("issuing_dispute.created", ("issuing.dispute",)),
        ("billing_portal.session.created", ("billing_portal.session",)),
        ("invoiceitem.created", ("invoiceitem",)),
        ("source.transaction.created", ("source_transaction",)),
        ("account.external_account.created", ("bank_account", "card")),
    ],
)
def test_what_a_type_is_about(event_type, objects):
    assert event_type in snapshot_types()
    assert objects_of(event_type) == objects


def test_recorded_events_are_about_what_their_type_says(shared):
    about = set()
    for path in (shared / "fixtures/events").rglob("*.json"):
        event = json.loads(path.read_text())
        if isinstance(event, dict) and event.get("object") == "event":
            # Some of these payloads were written by hand, and shortened.
            about.add((event["type"], event["data"]["object"].get("object")))
    about = {(t, noun) for t, noun in about if noun and t in snapshot_types()}
    assert len(about) > 20
    assert [(t, noun) for t, noun in sorted(about) if noun not in objects_of(t)] == []


def test_handlers_add_prefixes_and_types():
    assert snapshot_events([], ["topup.*", "payment.created", "v1.charge.*"]) == {
        "payment.created",
        *(t for t in snapshot_types() if t.startswith("topup.")),
    }


def test_a_handler_of_an_object_hears_of_it(stripe, run, secrets):
    @connect.on(object_type="invoice")
    def handler(event): ...

    run("--secrets-to", secrets.path)
    assert "invoice.paid" in at(stripe, CONNECT)[0].enabled_events


def test_a_signal_that_is_listened_to_is_delivered(stripe, run, secrets):
    def receiver(event, **kwargs): ...

    signals.get_signal("topup.failed").connect(receiver)
    try:
        run("--secrets-to", secrets.path)
    finally:
        signals.get_signal("topup.failed").disconnect(receiver)
    assert "topup.failed" in at(stripe, PLATFORM)[0].enabled_events


def test_everything_is_left_to_stripe(stripe, run, secrets):
    hear("*")
    run("--secrets-to", secrets.path)
    assert {tuple(made.enabled_events) for made in stripe.endpoints} == {("*",)}


def test_everything_and_a_type_are_listed_for_some_types_have_to_be_selected():
    everything = set(snapshot_types()) - {"issuing_authorization.request"}
    assert snapshot_events(["charge"], ["*", "topup.created"]) == everything
    assert snapshot_events(["charge"], ["*", "payment.created"]) == {*everything, "payment.created"}
    assert snapshot_events(["charge"], ["*", "v1.charge.refunded"]) == {"*"}


def test_the_request_that_decides_over_a_card_payment_is_asked_for_by_name_only():
    name = "issuing_authorization.request"
    assert name in snapshot_types()
    for patterns in (["issuing_authorization.*"], ["*", "topup.created"]):
        assert name not in snapshot_events(["issuing.authorization"], patterns)
    assert name in snapshot_events([], [name])


def test_thin_events_are_those_that_handlers_name():
    assert thin_events(["charge.*", "*"]) == frozenset()
    assert thin_events(["v2.core.account[identity].updated", "v2.new"]) == {
        "v2.core.account[identity].updated",
        "v2.new",
    }
    assert thin_events(["v1.payout.*"]) == {t for t in thin_types() if t.startswith("v1.payout.")}
    assert len(thin_events(["v1.payout.*"])) > 4


def test_patterns_that_fit_nothing_are_known():
    known = ["*", "charge.*", "payout.failed", "v1.*", "v2.core.account.created"]
    assert unknown_patterns([*known, "payment.*", "charge.refnded"]) == [
        "charge.refnded",
        "payment.*",
    ]
