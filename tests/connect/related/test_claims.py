"""Who asks Stripe for the objects of thin events, and in which order."""

import json

import pytest

from connect import draining, related
from connect.models import InboxEvent
from connect.processing import process
from connect.worker import Worker
from django_stripe.customer.models import Customer
from tests.connect.related.conftest import again, of

pytestmark = pytest.mark.django_db(transaction=True)


class TestLanes:
    """A worker asks for one object after the other, and no account waits for all of another's."""

    @pytest.fixture
    def asked_in(self, thin, merchant, settings):
        """Two accounts with events of two customers and of one; return in which accounts Stripe was asked."""
        settings.CONNECT_PROCESSING = "worker"
        client = thin.stripe.client()
        other = client.v1.accounts.create({"type": "express"}).id
        for account in (merchant, merchant, other):
            client.v1.customers.create({}, of(account))
            thin.take(thin.last("v1.customer.created", account))
        thin.asked()
        return lambda: [account for _, account in thin.asked()]

    def test_the_first_of_each_comes_before_the_second_of_any(self, merchant, asked_in):
        Worker().run_once()
        first, second, third = asked_in()
        assert first != second
        assert third == merchant
        assert Customer.objects.count() == 3

    def test_what_takes_long_goes_on_in_the_next_round(self, asked_in, monkeypatch):
        monkeypatch.setattr(draining, "TURN_SECONDS_MAX", 0)
        drainer = draining.Drainer()
        for left in (2, 1):
            drainer.round()
            assert InboxEvent.objects.filter(state="received").count() == left
            assert drainer.is_behind
        assert drainer.drain()
        assert Customer.objects.count() == 3

    def test_a_worker_that_is_to_stop_asks_for_no_other(self, asked_in):
        assert draining.Drainer(stopping=lambda: bool(InboxEvent.objects.exists())).drain() == 0
        assert asked_in() == []


class TestClaim:
    """Nothing is locked while Stripe is asked, and it is asked by one at a time."""

    @pytest.fixture
    def inbox(self, thin, created, settings):
        settings.CONNECT_PROCESSING = "worker"
        return thin.take(created)

    def test_what_one_has_claimed_another_leaves_alone(self, thin, inbox):
        claim = related._claim(inbox.id)
        inbox.refresh_from_db()
        assert (inbox.state, inbox.next_attempt_at) == ("failed", claim.until)
        assert "being asked" in inbox.error
        assert Worker().run_once() == 0
        process(inbox.id)
        assert thin.asked() == []

    def test_a_worker_that_was_killed_is_followed_by_another(self, thin, inbox):
        related._claim(inbox.id)
        again()
        assert Worker().run_once() == 1
        inbox.refresh_from_db()
        assert (inbox.state, inbox.attempts, Customer.objects.count()) == ("processed", 0, 1)

    def test_who_took_too_long_has_lost_it(self, inbox):
        slow = related._claim(inbox.id)
        again()
        process(inbox.id)
        assert related._write(slow, related.Answer(), done=True) is None
        inbox.refresh_from_db()
        assert json.loads(inbox.related)["name"] == "Ann"
