"""v1 accounts: what they look like, how they become able to sell, and how they go."""

from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn


@pytest.mark.parametrize(
    ("params", "type_", "dashboard", "payer"),
    [
        ({}, "standard", "full", "account"),
        ({"type": "express"}, "express", "express", "application_express"),
        ({"type": "custom"}, "custom", "none", "application_custom"),
        ({"controller": {"fees": {"payer": "account"}}}, "standard", "full", "account"),
        (
            {
                "controller": {
                    "fees": {"payer": "application"},
                    "losses": {"payments": "application"},
                    "stripe_dashboard": {"type": "express"},
                }
            },
            "express",
            "express",
            "application",
        ),
        ({"controller": {"fees": {"payer": "application"}}}, "none", "full", "application"),
    ],
)
def test_type_and_controller_describe_the_same_thing(
    stripe: sdk.StripeClient, params: Any, type_: str, dashboard: str, payer: str
) -> None:
    account: Any = stripe.v1.accounts.create(params)
    assert account.type == type_
    assert account.controller.stripe_dashboard.type == dashboard
    assert account.controller.fees.payer == payer
    assert not account.charges_enabled
    assert account.requirements.currently_due


def test_type_and_controller_exclude_each_other(stripe: sdk.StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError, match="cannot specify both"):
        stripe.v1.accounts.create(
            {"type": "express", "controller": {"fees": {"payer": "application"}}}
        )


def test_onboarding_enables_the_account_and_tells_its_own_scope(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    account = stripe.v1.accounts.create(
        {"type": "express", "capabilities": {"transfers": {"requested": True}}}
    )
    assert account.capabilities.transfers == "inactive"  # type: ignore[union-attr]
    stand_in.onboard(account.id)
    ready: Any = stripe.v1.accounts.retrieve(account.id)
    assert (ready.charges_enabled, ready.payouts_enabled, ready.details_submitted) == (
        True,
        True,
        True,
    )
    assert ready.capabilities.transfers == "active"
    assert ready.external_accounts.data[0].object == "bank_account"
    options: Any = {"stripe_account": account.id}
    types = {event.type for event in stripe.v1.events.list(None, options).data}
    assert types == {
        "account.external_account.created",
        "account.updated",
        "capability.updated",
        "person.created",
    }
    event: Any = stripe.v1.events.list({"type": "account.updated"}, options).data[0]
    assert event.account == event.data.object.id == account.id
    assert event.data.previous_attributes.charges_enabled is False
    assert stripe.v1.events.list({"type": "account.updated"}).data == []


def test_requirements_may_stay_due(stand_in: StandIn, stripe: sdk.StripeClient) -> None:
    account = stripe.v1.accounts.create({"type": "express"})
    stand_in.onboard(account.id, leave_due=["external_account"])
    left: Any = stripe.v1.accounts.retrieve(account.id)
    assert left.details_submitted
    assert not left.payouts_enabled
    assert left.requirements.currently_due == ["external_account"]
    assert left.requirements.disabled_reason == "requirements.past_due"


def test_updates_merge_and_say_what_was_before(stripe: sdk.StripeClient, merchant: str) -> None:
    profile: Any = {"name": "Ann's", "mcc": "5999"}
    stripe.v1.accounts.update(merchant, {"business_profile": profile, "metadata": {"a": "1"}})
    changed: Any = stripe.v1.accounts.update(
        merchant,
        {
            "business_profile": {"name": "Bob's"},
            "settings": {"payouts": {"schedule": {"interval": "manual"}}},
        },
    )
    assert (changed.business_profile.name, changed.business_profile.mcc) == ("Bob's", "5999")
    assert changed.settings.payouts.schedule.to_dict() == {"delay_days": 2, "interval": "manual"}
    event: Any = stripe.v1.events.list(
        {"type": "account.updated"}, {"stripe_account": merchant}
    ).data[0]
    assert event.data.previous_attributes.to_dict() == {
        "business_profile": {"name": "Ann's"},
        "settings": {"payouts": {"schedule": {"interval": "daily"}}},
    }


def test_the_platform_is_not_one_of_its_connected_accounts(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    assert [account.id for account in stripe.v1.accounts.list().data] == [other_merchant, merchant]
    assert stripe.v1.accounts.retrieve_current().id == stand_in.platform_account
    assert stripe.v1.accounts.retrieve(stand_in.platform_account).id == stand_in.platform_account
    as_itself: Any = {"stripe_account": stand_in.platform_account}
    assert len(stripe.v1.accounts.list(None, as_itself).data) == 2


def test_a_deleted_account_says_so_once_and_is_gone(
    stripe: sdk.StripeClient, merchant: str, receiver: Any
) -> None:
    stripe.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["*"], "connect": True}
    )
    assert stripe.v1.accounts.delete(merchant).to_dict() == {
        "id": merchant,
        "object": "account",
        "deleted": True,
    }
    for refused in (
        lambda: stripe.v1.accounts.retrieve(merchant),
        lambda: stripe.v1.balance.retrieve(None, {"stripe_account": merchant}),
    ):
        with pytest.raises(sdk.PermissionError):
            refused()


def test_deauthorisation_is_delivered_although_it_cannot_be_retrieved(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url, connect=True)
    stripe.v1.accounts.delete(merchant)
    assert stand_in.flush()
    (event,) = receiver.events
    assert (event["type"], event["account"]) == ("account.application.deauthorized", merchant)
    assert event["data"]["object"]["object"] == "application"


def test_account_links_live_five_minutes(stripe: sdk.StripeClient) -> None:
    account = stripe.v1.accounts.create({"type": "express"}).id
    params: Any = {
        "account": account,
        "type": "account_onboarding",
        "refresh_url": "http://shop.localhost/refresh",
        "return_url": "http://shop.localhost/return",
    }
    link = stripe.v1.account_links.create(params)
    assert link.expires_at - link.created == 300
    assert f"/setup/c/{account}/" in link.url
    assert "id" not in link
    with pytest.raises(sdk.InvalidRequestError, match="account_update"):
        stripe.v1.account_links.create(params | {"type": "account_update"})
    with pytest.raises(sdk.InvalidRequestError, match="No such account"):
        stripe.v1.account_links.create(params | {"account": "acct_unknown"})
