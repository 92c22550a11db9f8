"""v2 accounts: configurations, what is null unless included, and the same accounts under both versions of the API."""

from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.browser import visit

EVERYTHING: Any = [
    "configuration.customer",
    "configuration.merchant",
    "configuration.recipient",
    "defaults",
    "future_requirements",
    "identity",
    "requirements",
]
SELLER: Any = {
    "contact_email": "ann@example.com",
    "display_name": "Ann's",
    "dashboard": "express",
    "identity": {"country": "us", "entity_type": "individual"},
    "defaults": {
        "currency": "usd",
        "responsibilities": {"fees_collector": "application", "losses_collector": "application"},
    },
    "configuration": {
        "merchant": {"capabilities": {"card_payments": {"requested": True}}},
        "recipient": {
            "capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}
        },
    },
}


@pytest.fixture
def seller(stripe: sdk.StripeClient) -> str:
    return stripe.v2.core.accounts.create(SELLER).id


def whole(stripe: sdk.StripeClient, account: str) -> Any:
    return stripe.v2.core.accounts.retrieve(account, {"include": EVERYTHING})


def test_parts_are_null_unless_they_are_included(stripe: sdk.StripeClient, seller: str) -> None:
    bare: Any = stripe.v2.core.accounts.retrieve(seller)
    assert (bare.object, bare.contact_email, bare.dashboard, bare.closed) == (
        "v2.core.account",
        "ann@example.com",
        "express",
        False,
    )
    assert bare.created.endswith("Z")
    assert bare.applied_configurations == ["merchant", "recipient"]
    for part in ("configuration", "defaults", "identity", "requirements", "future_requirements"):
        assert bare[part] is None
    some: Any = stripe.v2.core.accounts.retrieve(
        seller, {"include": ["configuration.merchant", "identity"]}
    )
    assert some.configuration.merchant.applied
    assert some.configuration.recipient is None
    assert some.identity.country == "us"
    assert some.defaults is None


def test_capabilities_are_null_until_asked_for_and_follow_onboarding(
    stand_in: StandIn, stripe: sdk.StripeClient, seller: str
) -> None:
    before = whole(stripe, seller).configuration
    card = before.merchant.capabilities.card_payments
    assert card.status == "restricted"
    assert card.status_details[0].to_dict() == {
        "code": "requirements_past_due",
        "resolution": "provide_info",
    }
    assert before.merchant.capabilities.link_payments is None
    assert before.recipient.capabilities.stripe_balance.stripe_transfers.status == "restricted"
    stand_in.onboard(seller)
    after = whole(stripe, seller).configuration
    assert after.merchant.capabilities.card_payments.status == "active"
    assert after.merchant.capabilities.stripe_balance.payouts.status == "active"
    assert after.recipient.capabilities.stripe_balance.stripe_transfers.status == "active"
    assert after.customer is None


def test_requirements_are_entries_with_their_consequences(
    stand_in: StandIn, stripe: sdk.StripeClient, seller: str
) -> None:
    entries = {entry.description: entry for entry in whole(stripe, seller).requirements.entries}
    given_name = entries["identity.individual.given_name"]
    assert given_name.awaiting_action_from == "user"
    assert given_name.minimum_deadline.status == "past_due"
    held_up = {
        (row.configuration, row.capability) for row in given_name.impact.restricts_capabilities
    }
    assert ("merchant", "card_payments") in held_up
    assert ("recipient", "stripe_balance.stripe_transfers") in held_up
    bank = entries["external_account"].impact.restricts_capabilities
    assert [row.capability for row in bank] == ["stripe_balance.payouts"]
    document = "individual.verification.document"
    stand_in.onboard(seller, leave_due=[document], stand="currently_due")
    left = whole(stripe, seller).requirements
    assert left.summary.minimum_deadline.status == "currently_due"
    assert left.summary.minimum_deadline.time.endswith("Z")
    stand_in.onboard(seller, leave_due=[document], stand="failed")
    (entry,) = whole(stripe, seller).requirements.entries
    assert entry.errors[0].code == "verification_document_not_readable"
    stand_in.onboard(seller, leave_due=[document], stand="pending_verification")
    waiting = whole(stripe, seller)
    assert waiting.requirements.entries[0].awaiting_action_from == "stripe"
    assert waiting.configuration.merchant.capabilities.card_payments.status == "pending"
    stand_in.onboard(seller)
    assert whole(stripe, seller).requirements.summary.minimum_deadline is None


def test_a_v2_account_is_a_v1_account(
    stand_in: StandIn, stripe: sdk.StripeClient, seller: str
) -> None:
    v1: Any = stripe.v1.accounts.retrieve(seller)
    assert (v1.type, v1.email, v1.country, v1.business_type) == (
        "express",
        "ann@example.com",
        "US",
        "individual",
    )
    assert v1.controller.losses.payments == "application"
    assert set(v1.capabilities.to_dict()) == {"card_payments", "transfers"}
    stand_in.onboard(seller)
    payment: Any = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "confirm": True,
        "transfer_data": {"destination": seller},
    }
    assert stripe.v1.payment_intents.create(payment).status == "succeeded"
    options: Any = {"stripe_account": seller}
    assert stripe.v1.balance.retrieve(None, options).pending[0].amount == 1000


def test_a_v1_account_is_a_v2_account(stripe: sdk.StripeClient, merchant: str) -> None:
    v2 = whole(stripe, merchant)
    assert v2.applied_configurations == ["merchant", "recipient"]
    assert v2.dashboard == "express"
    assert v2.defaults.responsibilities.to_dict() == {
        "fees_collector": "application_express",
        "losses_collector": "application",
        "requirements_collector": "stripe",
    }
    stripe.v1.accounts.update(merchant, {"email": "kim@example.com", "metadata": {"a": "1"}})
    again: Any = stripe.v2.core.accounts.retrieve(merchant)
    assert (again.contact_email, again.metadata.to_dict()) == ("kim@example.com", {"a": "1"})


def test_updates_reach_both_forms(stripe: sdk.StripeClient, seller: str) -> None:
    descriptor = {"descriptor": "ANNS SHOP"}
    changes: Any = {
        "contact_email": "kim@example.com",
        "contact_phone": "+15550000",
        "defaults": {"profile": {"business_url": "https://anns.example"}, "locales": ["en-US"]},
        "metadata": {"a": "1"},
        "configuration": {
            "merchant": {
                "mcc": "5999",
                "statement_descriptor": descriptor,
                "capabilities": {"link_payments": {"requested": True}},
            },
            "customer": {"capabilities": {"automatic_indirect_tax": {"requested": True}}},
        },
        "include": EVERYTHING,
    }
    changed: Any = stripe.v2.core.accounts.update(seller, changes)
    merchant = changed.configuration.merchant
    assert merchant.statement_descriptor.to_dict() == descriptor
    assert (merchant.mcc, merchant.capabilities.link_payments.status) == ("5999", "restricted")
    assert changed.configuration.customer.capabilities.automatic_indirect_tax.status == "active"
    assert changed.applied_configurations == ["customer", "merchant", "recipient"]
    assert changed.defaults.profile.business_url == "https://anns.example"
    assert (changed.contact_phone, changed.defaults.locales) == ("+15550000", ["en-US"])
    v1: Any = stripe.v1.accounts.retrieve(seller)
    assert (v1.email, v1.business_profile.mcc) == ("kim@example.com", "5999")
    withdrawn: Any = {
        "configuration": {"merchant": {"capabilities": {"link_payments": {"requested": False}}}},
        "metadata": {"a": None},
    }
    stripe.v2.core.accounts.update(seller, withdrawn)
    left = whole(stripe, seller)
    assert left.metadata.to_dict() == {}
    assert left.configuration.merchant.statement_descriptor.to_dict() == descriptor


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"dashboard": "full"}, "dashboard"),
        (
            {
                "defaults": {
                    "responsibilities": {
                        "fees_collector": "stripe",
                        "losses_collector": "application",
                    }
                }
            },
            "defaults.responsibilities.fees_collector",
        ),
    ],
)
def test_who_is_responsible_is_settled_once(
    stripe: sdk.StripeClient, seller: str, changes: Any, param: str
) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v2.core.accounts.update(seller, changes)
    assert refused.value.param == param


def test_who_bears_losses_takes_the_fees(stripe: sdk.StripeClient) -> None:
    responsibilities: Any = {"fees_collector": "stripe", "losses_collector": "application"}
    with pytest.raises(sdk.InvalidRequestError, match="must collect fees"):
        stripe.v2.core.accounts.create({"defaults": {"responsibilities": responsibilities}})


def test_the_list_is_walked_to_its_end(stripe: sdk.StripeClient, merchant: str) -> None:
    made = [stripe.v2.core.accounts.create({}).id for _ in range(5)]
    first = stripe.v2.core.accounts.list({"limit": 2})
    assert first.next_page_url is not None
    late = stripe.v2.core.accounts.create({}).id
    ids = [account.id for account in first.auto_paging_iter()]
    assert ids == [*reversed(made), merchant]
    assert late not in ids
    wanted: Any = {"applied_configurations": ["recipient"], "limit": 1}
    recipients = stripe.v2.core.accounts.list(wanted).auto_paging_iter()
    assert [account.id for account in recipients] == [merchant]


@pytest.mark.parametrize("query", ["page=nonsense", "page=%C3%28", "limit=0", "limit=1000"])
def test_pages_that_do_not_exist_are_refused(stripe: sdk.StripeClient, query: str) -> None:
    answer: Any = stripe.raw_request
    with pytest.raises(sdk.InvalidRequestError):
        answer("get", f"/v2/core/accounts?{query}")


def test_a_closed_account_is_known_and_no_more(
    stand_in: StandIn, stripe: sdk.StripeClient, seller: str
) -> None:
    closed: Any = stripe.v2.core.accounts.close(seller)
    assert closed.closed
    assert seller not in [row.id for row in stripe.v2.core.accounts.list().data]
    assert [row.id for row in stripe.v2.core.accounts.list({"closed": True}).data] == [seller]
    with pytest.raises(sdk.PermissionError):
        stripe.v1.accounts.retrieve(seller)
    with pytest.raises(sdk.CannotProceedError):
        stripe.v2.core.accounts.update(seller, {"display_name": "x"})
    types = [row.type for row in stripe.v2.core.events.list({"object_id": seller}).data]
    assert types[0] == "v2.core.account.closed"


def test_an_account_with_money_is_not_closed(
    stripe: sdk.StripeClient, merchant: str, pay: Any
) -> None:
    pay(on=merchant)
    with pytest.raises(sdk.CannotProceedError, match="balance"):
        stripe.v2.core.accounts.close(merchant)


def test_configurations_are_closed_one_by_one(stripe: sdk.StripeClient, seller: str) -> None:
    part: Any = stripe.v2.core.accounts.close(seller, {"applied_configurations": ["recipient"]})
    assert (part.closed, part.applied_configurations) == (False, ["merchant"])


def test_persons_are_the_same_in_both_versions(stripe: sdk.StripeClient, seller: str) -> None:
    persons: Any = stripe.v2.core.accounts.persons
    born = {"day": 1, "month": 2, "year": 1990}
    made = persons.create(
        seller,
        {
            "given_name": "Ann",
            "date_of_birth": born,
            "id_numbers": [{"type": "us_ssn", "value": "000000000"}],
            "relationship": {"owner": True, "percent_ownership": "50.5"},
        },
    )
    assert made.object == "v2.core.account_person"
    assert made.id_numbers[0].to_dict() == {"type": "us_ssn"}
    v1 = stripe.v1.accounts.persons.retrieve(seller, made.id)
    assert (v1.first_name, v1.id_number_provided) == ("Ann", True)
    stripe.v1.accounts.persons.update(seller, made.id, {"last_name": "Lee"})
    again = persons.retrieve(seller, made.id)
    assert (again.given_name, again.surname, again.date_of_birth.to_dict()) == ("Ann", "Lee", born)
    assert again.id_numbers[0].type == "us_ssn"
    assert persons.update(seller, made.id, {"surname": "Kim"}).surname == "Kim"
    assert [row.id for row in persons.list(seller).data] == [made.id]
    assert persons.delete(seller, made.id).id == made.id
    with pytest.raises(sdk.InvalidRequestError):
        persons.retrieve(seller, made.id)


def test_links_lead_to_the_same_onboarding_page(stripe: sdk.StripeClient, seller: str) -> None:
    use_case: Any = {
        "type": "account_onboarding",
        "account_onboarding": {
            "configurations": ["merchant"],
            "refresh_url": "http://shop.localhost/refresh",
            "return_url": "http://shop.localhost/return",
        },
    }
    del use_case["account_onboarding"]["configurations"]
    link: Any = stripe.v2.core.account_links.create({"account": seller, "use_case": use_case})
    assert (link.object, link.account) == ("v2.core.account_link", seller)
    assert link.use_case.account_onboarding.refresh_url == "http://shop.localhost/refresh"
    page = visit(visit(link.url).target)
    assert page.submit(action="submit").target == "http://shop.localhost/return"
    assert whole(stripe, seller).configuration.merchant.capabilities.card_payments.status == (
        "active"
    )
    event: Any = stripe.v2.core.events.list({"types": ["v2.core.account_link.returned"]}).data[0]
    assert event.data.account_id == seller
    assert event.data.use_case == "account_onboarding"
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v2.core.account_links.create(
            {"account": seller, "use_case": {"type": "account_onboarding"}}
        )


def test_unknown_accounts_and_nonsense_are_refused(stripe: sdk.StripeClient) -> None:
    with pytest.raises(sdk.InvalidRequestError) as missing:
        stripe.v2.core.accounts.retrieve("acct_none")
    assert missing.value.code == "not_found"
    assert missing.value.http_status == 404
    for params in (
        {"include": ["everything"]},
        {"nonsense": 1},
        {"identity": {"country": "Atlantis"}},
        {"dashboard": "huge"},
        {"configuration": {"merchant": "yes"}},
        {"metadata": ["a"]},
        {"identity": {"attestations": {"terms_of_service": {"account": {"date": "x", "ip": "y"}}}}},
    ):
        with pytest.raises(sdk.InvalidRequestError):
            stripe.v2.core.accounts.create(params)  # type: ignore[arg-type]


def test_a_key_replays_what_worked_and_runs_again_what_did_not(
    stripe: sdk.StripeClient, stand_in: StandIn
) -> None:
    key: Any = {"idempotency_key": "account-1"}
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v2.core.accounts.create({"identity": {"country": "Atlantis"}}, key)
    first = stripe.v2.core.accounts.create({"display_name": "Ann's"}, key)
    stand_in.advance(29 * 24 * 3600)
    assert stripe.v2.core.accounts.create({"display_name": "Ann's"}, key).id == first.id
    with pytest.raises(sdk.IdempotencyError):
        stripe.v2.core.accounts.create({"display_name": "Bob's"}, key)
    assert stripe.v1.customers.create({}, key).id
    stand_in.advance(2 * 24 * 3600)
    assert stripe.v2.core.accounts.create({"display_name": "Ann's"}, key).id != first.id


def test_an_account_sees_itself_and_no_other(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    options: Any = {"stripe_context": merchant}
    assert stripe.v2.core.accounts.retrieve(merchant, None, options).id == merchant
    changes: Any = {"contact_email": "me@example.com"}
    assert stripe.v2.core.accounts.update(merchant, changes, options).contact_email
    assert len(stripe.v2.core.accounts.persons.list(merchant, None, options).data) == 1
    for refused in (
        lambda: stripe.v2.core.accounts.retrieve(other_merchant, None, options),
        lambda: stripe.v2.core.accounts.persons.list(other_merchant, None, options),
    ):
        with pytest.raises(sdk.InvalidRequestError):
            refused()
    assert stripe.v2.core.accounts.list(None, options).data == []


def test_context_is_another_word_for_account(
    stand_in: StandIn, stripe: sdk.StripeClient, merchant: str
) -> None:
    stripe.v1.customers.create({"name": "Ann"}, {"stripe_context": merchant})
    assert len(stand_in.state(merchant)["customer"]) == 1
    path = f"{stand_in.platform_account}/{merchant}"
    assert len(stripe.v1.customers.list(None, {"stripe_context": path}).data) == 1
    both: Any = {"stripe_context": merchant, "stripe_account": merchant}
    with pytest.raises(sdk.InvalidRequestError, match="both"):
        stripe.v1.customers.list(None, both)
