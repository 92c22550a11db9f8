"""What becomes of a thin event: its object is asked for in its account, mirrored, and handlers hear of it."""

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

import connect
from connect import context, draining, related
from connect.models import InboxEvent
from connect.processing import process
from connect.worker import Worker
from django_stripe.account.models import Account
from django_stripe.customer.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)


def of(account):
    return {"stripe_account": account} if account else {}


@pytest.fixture
def customer(thin, merchant):
    """A customer of the merchant's at Stripe, whom nobody asked for yet."""
    made = thin.stripe.client().v1.customers.create({"name": "Ann"}, of(merchant))
    thin.asked()
    return made.id


@pytest.fixture
def created(thin, merchant, customer):
    """The thin event of that."""
    return thin.last("v1.customer.created", merchant)


@pytest.fixture
def heard(routes):
    """What a handler of everything is given."""
    events = []

    @connect.on("*")
    def hear(event):
        events.append(event)

    return events


def again():
    """Let the time come that failed events wait for."""
    InboxEvent.objects.filter(state="failed").update(next_attempt_at=Now())


@pytest.fixture(params=["inline", "worker"])
def way(request, settings):
    """Do what there is to do, in the request or later in a lane."""
    settings.CONNECT_PROCESSING = request.param
    return (lambda: None) if request.param == "inline" else (lambda: Worker().run_once())


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


class TestAccounts:
    """v2 tells of merchants' accounts in the platform's scope; their rows are theirs."""

    @pytest.mark.parametrize("event_type", ["v2.core.account.created", "v1.account.updated"])
    def test_the_row_is_the_merchants_own(self, thin, merchant, routes, way, event_type):
        heard = []

        @connect.on(object_type="account")
        def hear(event):
            heard.append((event.account, connect.current_account(), event.find_row()))

        event = thin.last("v2.core.account.created") | {"type": event_type}
        thin.take(event | {"snapshot_event": "evt_1"})
        way()
        ((account, current, row),) = heard
        assert (account, current) == (connect.PLATFORM, connect.PLATFORM)
        assert (row.connect_account_id, row.stripe_id) == (merchant, merchant)
        assert row.data["object"] == "account", "in v1's form"
        assert thin.asked()[-1] == (f"/v1/accounts/{merchant}", "")

    def test_who_the_platform_is_is_asked_once(self, thin, merchant):
        for number in range(2):
            thin.take(thin.last("v2.core.account.created") | {"id": f"evt_{number}"})
        assert [path for path, _ in thin.asked()] == [
            "/v1/account",
            f"/v1/accounts/{merchant}",
            f"/v1/accounts/{merchant}",
        ]
        assert Account.objects.platform().get().stripe_id == thin.stripe.platform_account

    def test_the_platforms_own_account_is_no_merchant(self, thin):
        own = thin.stripe.platform_account
        reference = {"id": own, "type": "account", "url": f"/v1/accounts/{own}"}
        thin.take(thin.envelope("v1.account.updated", reference))
        assert Account.objects.get().connect_account_id == ""

    def test_in_its_own_context_it_is_asked_for_as_always(self, thin, merchant):
        thin.take(thin.last("v1.account.updated", merchant))
        assert thin.asked() == [(f"/v1/accounts/{merchant}", "")]
        assert Account.objects.for_account(merchant).get().stripe_id == merchant

    def test_a_closed_account_is_out_of_reach_and_heard_of(self, thin, merchant, heard, way):
        thin.stripe.client().v2.core.accounts.close(merchant)
        event = thin.last("v2.core.account.closed")
        thin.stripe.fault("account_invalid", path=f"/v1/accounts/{merchant}")
        inbox = thin.take(event)
        way()
        inbox.refresh_from_db()
        assert (inbox.state, inbox.related) == ("processed", "")
        assert heard[0].object == {"id": merchant, "object": "account"}

    def test_where_accounts_are_not_installed_v2s_form_is_given(
        self, thin, merchant, heard, monkeypatch
    ):
        models = {"customer": Customer}
        monkeypatch.setattr("django_stripe.registry.models_by_object", lambda: models)
        thin.take(thin.last("v2.core.account.created"))
        assert (heard[0].object_type, heard[0].object_id) == ("v2.core.account", merchant)
        assert (f"/v2/core/accounts/{merchant}", "") in thin.asked()


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


class TestDeletion:
    """What is gone at Stripe is a row that says so."""

    @pytest.fixture
    def mirrored(self, thin, created):
        thin.take(created)

    def test_the_last_state_is_kept(self, thin, merchant, customer, mirrored, heard, way):
        thin.stripe.client().v1.customers.delete(customer, None, of(merchant))
        thin.take(thin.last("v1.customer.deleted", merchant))
        way()
        row = Customer.objects.get()
        assert row.deleted_at
        assert row.name == "Ann"
        assert heard[0].object == {"id": customer, "object": "customer", "deleted": True}

    def test_no_answer_that_lags_behind_brings_it_back(self, thin, merchant, created, mirrored):
        thin.take(created | {"id": "evt_2", "type": "v1.customer.deleted"})
        assert Customer.objects.get().deleted_at

    def test_where_stripe_knows_of_none_any_more_it_was_deleted(
        self, thin, merchant, created, mirrored, heard
    ):
        Customer.objects.update(stripe_id="cus_gone")
        related_object = created["related_object"] | {"id": "cus_gone"}
        thin.take(created | {"id": "evt_2", "related_object": related_object})
        assert Customer.objects.get().deleted_at
        assert heard[0].object == {"id": "cus_gone", "object": "customer", "deleted": True}

    def test_so_it_is_in_the_words_of_v2(self, thin, merchant, heard):
        person = thin.envelope(
            "v2.core.account_person.deleted",
            {
                "id": "person_gone",
                "type": "v2.core.account_person",
                "url": f"/v2/core/accounts/{merchant}/persons/person_gone",
            },
        )
        assert thin.take(person).state == "processed"
        assert heard[0].object["deleted"]

    def test_an_ended_subscription_is_no_deleted_one(self, thin, merchant, created):
        thin.take(created | {"type": "v1.customer.subscription.deleted"})
        assert Customer.objects.get().deleted_at is None


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
