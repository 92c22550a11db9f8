"""Thin events about whose object Stripe does not answer."""

from datetime import timedelta

import pytest
from django.utils import timezone

import connect
from connect import context
from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.customer.models import Customer
from tests.connect.related.conftest import again, of

pytestmark = pytest.mark.django_db(transaction=True)


class TestFailure:
    """What Stripe does not answer is asked again, and the reason is there to be read."""

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("rate_limit", "HTTP 429 rate_limit"),
            ("unavailable", "HTTP 503"),
            ("account_invalid", "HTTP 403 account_invalid"),
            ("unauthorized", "HTTP 401"),
            ("timeout_before_commit", "HTTP none"),
        ],
    )
    def test_it_is_asked_again_later(self, thin, created, customer, heard, way, fault, reason):
        thin.stripe.fault(fault)
        before = timezone.now()
        inbox = thin.take(created)
        way()
        inbox.refresh_from_db()
        assert (inbox.state, inbox.attempts) == ("failed", 1)
        assert inbox.error.startswith(f"Stripe was asked for customer {customer}: {reason}")
        assert "sk_test" not in inbox.error
        assert before < inbox.next_attempt_at < before + timedelta(minutes=1)
        assert heard == []
        again()
        Worker().run_once()
        assert (Customer.objects.count(), len(heard)) == (1, 1)
        inbox.refresh_from_db()
        assert (inbox.state, inbox.error) == ("processed", "")

    def test_without_a_key_of_its_mode_there_is_nobody_to_ask(self, thin, created, settings, way):
        settings.CONNECT_LIVEMODE_POLICY = "accept"
        inbox = thin.take(created | {"livemode": True})
        way()
        inbox.refresh_from_db()
        assert (inbox.state, "no live key" in inbox.error) == ("failed", True)

    @pytest.mark.parametrize(("policy", "state"), [("park", "parked"), ("ignore", "ignored")])
    def test_the_policy_for_other_modes_is_followed(
        self, thin, created, settings, way, policy, state
    ):
        settings.CONNECT_LIVEMODE_POLICY = {"thin": policy}
        inbox = thin.take(created | {"livemode": True})
        way()
        inbox.refresh_from_db()
        assert (inbox.state, thin.asked()) == (state, [])

    def test_an_answer_about_something_else_is_not_believed(self, thin, merchant, caplog):
        client = thin.stripe.client()
        one, other = (client.v1.coupons.create({"percent_off": 5}, of(merchant)) for _ in "ab")
        event = thin.last("v1.coupon.created", merchant)
        reference = {"id": one.id, "type": "coupon", "url": f"/v1/coupons/{other.id}"}
        inbox = thin.take(event | {"related_object": reference})
        assert (inbox.state, inbox.attempts) == ("failed", 1)
        assert inbox.error == f"Stripe was asked for coupon {one.id}: ValueError"
        assert "ValueError" in caplog.text

    def test_an_address_that_stripe_does_not_have_is_no_deleted_object(self, thin, merchant):
        reference = {"id": "unk_1", "type": "unknown", "url": "/v1/unknowns/unk_1"}
        inbox = thin.take(thin.envelope("v1.unknown.created", reference, context=merchant))
        assert (inbox.state, "HTTP 404" in inbox.error) == ("failed", True)

    def test_what_cannot_be_stored_is_not_asked_for_again(self, thin, merchant, customer, way):
        client = thin.stripe.client()
        client.v1.customers.update(customer, {"name": "a\x00b"}, of(merchant))
        inbox = thin.take(thin.last("v1.customer.updated", merchant))
        way()
        inbox.refresh_from_db()
        assert (inbox.state, inbox.next_attempt_at) == ("failed", None)
        assert f"customer {customer}" in inbox.error

    def test_one_that_fails_stops_no_other(self, thin, merchant, created, settings):
        settings.CONNECT_PROCESSING = "worker"
        client = thin.stripe.client()
        client.v1.coupons.create({"percent_off": 5}, of(merchant))
        first, second = thin.take(created), thin.take(thin.last("v1.coupon.created", merchant))
        thin.stripe.fault("unavailable")
        Worker().run_once()
        states = InboxEvent.objects.order_by("id").values_list("id", "state")
        assert list(states) == [(first.id, "failed"), (second.id, "processed")]

    def test_a_handler_that_fails_is_called_again_with_the_same_object(
        self, thin, merchant, customer, created, routes
    ):
        names = []

        @connect.on("v1.customer.created")
        def fails_once(event):
            names.append(event.object["name"])
            if len(names) == 1:
                raise RuntimeError

        inbox = thin.take(created)
        assert InboxEvent.objects.get().error.endswith("RuntimeError")
        thin.stripe.client().v1.customers.update(customer, {"name": "Bob"}, of(merchant))
        thin.asked()
        again()
        Worker().run_once()
        assert (names, thin.asked()) == (["Ann", "Ann"], [])
        inbox.refresh_from_db()
        assert inbox.state == "processed"
        InboxEvent.objects.update(state="received", attempts=0, handled_by=[])
        Worker().run_once()
        assert names[2:] == ["Bob"], "from the start, it is asked for again"

    def test_an_account_that_is_not_known_here_is_parked(self, thin, created, way):
        def nobody(account):
            raise context.UnknownAccount

        context.enter_with(nobody)
        try:
            inbox = thin.take(created)
            way()
        finally:
            context._entries.remove(nobody)
        inbox.refresh_from_db()
        assert (inbox.state, inbox.next_attempt_at) == ("parked", None)
        assert thin.asked() == []
