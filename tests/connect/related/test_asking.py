"""What becomes of a thin event: its object is asked for in its account, mirrored, and handlers hear of it."""

import json

import pytest

from connect.models import InboxEvent
from django_stripe.account.models import Account
from django_stripe.customer.models import Customer
from tests.connect.related.conftest import of

pytestmark = pytest.mark.django_db(transaction=True)


class TestWhereItIsAsked:
    """The account of the event is the account of the request and of the row."""

    def test_in_the_account_of_the_event(self, thin, merchant, created, customer, way):
        inbox = thin.take(created)
        way()
        row = Customer.objects.get()
        assert (row.connect_account_id, row.stripe_id, row.name) == (merchant, customer, "Ann")
        assert (row.origin, row.event_id) == ("retrieve", "")
        assert thin.asked() == [(f"/v1/customers/{customer}", merchant)]
        inbox.refresh_from_db()
        assert (inbox.state, inbox.error, inbox.next_attempt_at) == ("processed", "", None)
        assert inbox.processed_at
        assert json.loads(inbox.related) == row.data

    def test_on_the_platform_without_a_context(self, thin, way):
        made = thin.stripe.client().v1.customers.create({"name": "Bob"})
        thin.asked()
        thin.take(thin.last("v1.customer.created"))
        way()
        assert Customer.objects.platform().get().stripe_id == made.id
        assert thin.asked() == [(f"/v1/customers/{made.id}", "")]

    def test_as_stripe_delivers_it(self, thin, merchant, settings, live_server, heard):
        url = f"{live_server.url}/stripe/webhooks/thin/"
        secret = thin.stripe.event_destination(url)["webhook_endpoint"]["signing_secret"]
        settings.STRIPE_WEBHOOK_SECRETS = settings.STRIPE_WEBHOOK_SECRETS | {"thin": [secret]}
        thin.stripe.client().v1.customers.create({"name": "Ann"}, of(merchant))
        thin.stripe.client().v2.core.accounts.update(
            merchant, {"identity": {"entity_type": "company"}}
        )
        assert thin.stripe.flush()
        assert {line.outcome for line in thin.stripe.deliveries} == {"delivered"}
        assert Customer.objects.get().connect_account_id == merchant
        assert Account.objects.for_account(merchant).exists()
        assert set(InboxEvent.objects.values_list("state", flat=True)) == {"processed"}
        assert {"v1.customer.created", "v2.core.account[identity].updated"} <= {
            event.type for event in heard
        }

    def test_what_is_not_installed_is_asked_for_at_its_address(self, thin, merchant, heard, way):
        coupon = thin.stripe.client().v1.coupons.create({"percent_off": 5}, of(merchant))
        thin.asked()
        inbox = thin.take(thin.last("v1.coupon.created", merchant))
        way()
        assert heard[0].object["percent_off"] == 5
        asked = [one for one in thin.asked() if "coupons" in one[0]]
        assert asked == [(f"/v1/coupons/{coupon.id}", merchant)]
        inbox.refresh_from_db()
        assert (inbox.state, json.loads(inbox.related)["id"]) == ("processed", coupon.id)

    def test_in_the_whole_path_of_an_organisation(self, thin, merchant, heard):
        platform = thin.stripe.platform_account
        coupon = thin.stripe.client().v1.coupons.create({"percent_off": 5}, of(merchant))
        event = thin.last("v1.coupon.created", merchant)
        thin.asked()
        thin.take(event | {"context": f"{platform}/{merchant}", "snapshot_event": "evt_1"})
        (asked,) = thin.stripe.asked
        assert asked.headers["Stripe-Context"] == f"{platform}/{merchant}"
        assert (heard[0].account, heard[0].object_id) == (merchant, coupon.id)

    def test_a_type_the_sdk_does_not_know_is_asked_for_too(self, thin, merchant, heard):
        coupon = thin.stripe.client().v1.coupons.create({"percent_off": 5}, of(merchant))
        event = thin.last("v1.coupon.created", merchant)
        thin.take(event | {"type": "v1.coupon.celebrated", "snapshot_event": "evt_1"})
        assert (heard[0].object_id, heard[0].object["percent_off"]) == (coupon.id, 5)

    def test_whatever_the_reason_is(self, thin, merchant, created):
        inbox = thin.take(created | {"reason": {"type": "request", "request": None}})
        assert (inbox.state, Customer.objects.count()) == ("processed", 1)

    def test_a_singleton_has_no_id(self, thin, merchant, heard):
        balance = {"type": "balance", "url": "/v1/balance"}
        inbox = thin.take(thin.envelope("v1.balance.available", balance, context=merchant))
        assert (heard[0].object_type, heard[0].object_id) == ("balance", "")
        assert "available" in heard[0].object
        assert (inbox.state, inbox.object_id) == ("processed", "")


class TestNothingToAsk:
    """The id is in the envelope, and that has to do."""

    def test_an_account_that_left_is_heard_of_without_its_object(self, thin, merchant, heard, way):
        thin.stripe.deauthorize(merchant)
        inbox = thin.take(thin.last("v1.account.application.deauthorized", merchant))
        way()
        assert [(event.account, event.object) for event in heard] == [(merchant, {})]
        inbox.refresh_from_db()
        assert inbox.state == "processed"
        # Its twin cannot be asked for, for the account has left.
        assert {path.rpartition("/")[0] for path, _ in thin.asked()} == {"/v2/core/events"}

    def test_what_has_no_address_in_the_sdk_is_known_by_its_id(self, thin, merchant, heard):
        link = {"id": "ba_1", "type": "bank_account", "url": "/v1/accounts/x/external_accounts/1"}
        event = thin.envelope("v1.account.external_account.updated", link, context=merchant)
        thin.take(event | {"snapshot_event": "evt_1"})
        assert heard[0].object == {"id": "ba_1", "object": "bank_account"}
        assert thin.asked() == []

    def test_one_that_lacks_the_object_its_type_has_is_heard_of(self, thin, merchant, heard):
        inbox = thin.take(thin.envelope("v1.customer.created", None, context=merchant))
        assert (inbox.state, heard[0].object) == ("processed", {})
        assert thin.asked() == []

    def test_one_without_handlers_takes_no_call_about_itself(self, thin, created, customer):
        thin.take(created)
        assert [path for path, _ in thin.asked()] == [f"/v1/customers/{customer}"]
