"""Thin events about accounts: which account's row is written."""

import pytest

import connect
from django_stripe.account.models import Account
from django_stripe.customer.models import Customer

pytestmark = pytest.mark.django_db(transaction=True)


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
