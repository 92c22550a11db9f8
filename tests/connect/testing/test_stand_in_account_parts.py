"""What belongs to an account: capabilities, persons, external accounts, sessions, dashboard links."""

from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.browser import visit

BANK: Any = {
    "object": "bank_account",
    "country": "US",
    "currency": "usd",
    "account_number": "000123456789",
    "routing_number": "110000000",
}


def types(stripe: sdk.StripeClient, account: str, wanted: str) -> list[str]:
    params: Any = {"types": [wanted], "limit": 100}
    events = stripe.v1.events.list(params, {"stripe_account": account}).data
    return [str(event.type) for event in events][::-1]


def test_capabilities_are_active_once_the_account_is_onboarded(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    account = stripe.v1.accounts.create(
        {"type": "express", "capabilities": {"transfers": {"requested": True}}}
    ).id
    capability = stripe.v1.accounts.capabilities.retrieve(account, "transfers")
    assert (capability.id, capability.status, capability.requested) == (
        "transfers",
        "inactive",
        True,
    )
    assert capability.requirements is not None
    assert capability.requirements.disabled_reason == "requirements.past_due"
    stand_in.onboard(account)
    assert stripe.v1.accounts.capabilities.retrieve(account, "transfers").status == "active"
    event: Any = stripe.v1.events.list(
        {"type": "capability.updated"}, {"stripe_account": account}
    ).data[0]
    assert (event.account, event.data.object.status) == (account, "active")
    assert event.data.previous_attributes.status == "inactive"


def test_capabilities_are_asked_for_and_given_back(stripe: sdk.StripeClient, merchant: str) -> None:
    capabilities = stripe.v1.accounts.capabilities
    assert capabilities.retrieve(merchant, "link_payments").status == "unrequested"
    asked: Any = capabilities.update(merchant, "link_payments", {"requested": True})
    assert (asked.status, asked.requested) == ("active", True)
    assert asked.requested_at is not None
    event: Any = stripe.v1.events.list(
        {"type": "capability.updated"}, {"stripe_account": merchant}
    ).data[0]
    assert event.data.object.id == "link_payments"
    assert event.data.previous_attributes.status == "unrequested"
    back = capabilities.update(merchant, "link_payments", {"requested": False})
    assert (back.status, back.requested, back.requested_at) == ("unrequested", False, None)
    names = {row.id for row in capabilities.list(merchant).data}
    assert names == {"card_payments", "transfers", "link_payments"}
    found: Any = stripe.v1.accounts.retrieve(merchant)
    assert "link_payments" not in found.capabilities
    with pytest.raises(sdk.InvalidRequestError, match="No such capability"):
        capabilities.retrieve(merchant, "flying")


def test_the_same_capability_exists_on_every_account(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    stripe.v1.accounts.capabilities.update(merchant, "transfers", {"requested": False})
    other = stripe.v1.accounts.capabilities.retrieve(other_merchant, "transfers")
    assert (other.account, other.status) == (other_merchant, "active")


def test_persons_come_change_and_go(stripe: sdk.StripeClient, merchant: str) -> None:
    persons = stripe.v1.accounts.persons
    made: Any = persons.create(
        merchant,
        {
            "first_name": "Ann",
            "dob": {"day": 1, "month": 2, "year": 1990},
            "id_number": "000000000",
            "relationship": {"director": True},
            "metadata": {"a": "1"},
        },
    )
    assert (made.account, made.relationship.director, made.id_number_provided) == (
        merchant,
        True,
        True,
    )
    assert "id_number" not in made
    changed = persons.update(merchant, made.id, {"last_name": "Lee", "metadata": {"b": "2"}})
    assert (changed.first_name, changed.last_name) == ("Ann", "Lee")
    assert changed.metadata is not None
    assert changed.metadata.to_dict() == {"a": "1", "b": "2"}
    listed = persons.list(merchant, {"relationship": {"director": True}})
    assert [row.id for row in listed.data] == [made.id]
    assert persons.delete(merchant, made.id).deleted
    with pytest.raises(sdk.InvalidRequestError, match="No such person"):
        persons.retrieve(merchant, made.id)
    assert types(stripe, merchant, "person.*")[-3:] == [
        "person.created",
        "person.updated",
        "person.deleted",
    ]


def test_one_account_does_not_see_anothers_persons(
    stripe: sdk.StripeClient, merchant: str, other_merchant: str
) -> None:
    person = stripe.v1.accounts.persons.list(merchant).data[0]
    with pytest.raises(sdk.InvalidRequestError, match="No such person"):
        stripe.v1.accounts.persons.retrieve(other_merchant, person.id)
    with pytest.raises(sdk.PermissionError):
        stripe.v1.accounts.persons.list(merchant, None, {"stripe_account": other_merchant})


def test_a_platform_that_collects_requirements_onboards_by_the_api(
    stripe: sdk.StripeClient,
) -> None:
    account: Any = stripe.v1.accounts.create(
        {
            "type": "custom",
            "country": "US",
            "business_type": "individual",
            "capabilities": {"transfers": {"requested": True}},
            "business_profile": {"mcc": "5999", "url": "https://shop.example"},
            "tos_acceptance": {"date": 1_700_000_000, "ip": "127.0.0.1"},
        }
    )
    assert "individual.first_name" in account.requirements.currently_due
    assert "business_profile.mcc" not in account.requirements.currently_due
    individual: Any = {
        "first_name": "Ann",
        "last_name": "Lee",
        "dob": {"day": 1, "month": 2, "year": 1990},
    }
    stripe.v1.accounts.update(account.id, {"individual": individual})
    left: Any = stripe.v1.accounts.retrieve(account.id)
    assert left.requirements.currently_due == ["external_account"]
    assert not left.details_submitted
    ready: Any = stripe.v1.accounts.update(account.id, {"external_account": "btok_us_verified"})
    assert (ready.details_submitted, ready.charges_enabled, ready.payouts_enabled) == (
        True,
        True,
        True,
    )
    assert ready.capabilities.transfers == "active"
    assert ready.individual.first_name == "Ann"


def test_a_companys_representative_is_a_person(stripe: sdk.StripeClient) -> None:
    account: Any = stripe.v1.accounts.create(
        {"type": "custom", "business_type": "company", "company": {"tax_id": "000000000"}}
    )
    assert account.company.tax_id_provided
    assert "company.name" in account.requirements.currently_due
    dob: Any = {"day": 1, "month": 2, "year": 1990}
    relationship: Any = {"representative": True}
    stripe.v1.accounts.persons.create(
        account.id,
        {"first_name": "Ann", "last_name": "Lee", "dob": dob, "relationship": relationship},
    )
    changed: Any = stripe.v1.accounts.update(account.id, {"company": {"name": "Ann's Ltd"}})
    due = changed.requirements.currently_due
    assert [path for path in due if path.startswith(("company.", "representative."))] == []


def test_external_accounts_come_by_token_and_by_hash(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    external: Any = stripe.v1.accounts.external_accounts
    bare: Any = {key: value for key, value in BANK.items() if key != "object"}
    token = stripe.v1.tokens.create({"bank_account": bare})
    assert token.id.startswith("btok_")
    by_token = external.create(merchant, {"external_account": token.id})
    assert (by_token.last4, by_token.account, by_token.default_for_currency) == (
        "6789",
        merchant,
        False,
    )
    with pytest.raises(sdk.InvalidRequestError) as refused:
        external.create(merchant, {"external_account": token.id})
    assert refused.value.code == "token_already_used"
    euros = {**BANK, "country": "DE", "currency": "eur", "account_number": "DE89370400440532013000"}
    by_hash = external.create(merchant, {"external_account": euros, "metadata": {"a": "1"}})
    assert (by_hash.currency, by_hash.default_for_currency) == ("eur", True)
    assert by_hash.metadata.to_dict() == {"a": "1"}
    card = external.create(merchant, {"external_account": "tok_visa_debit"})
    assert (card.object, card.funding, card.available_payout_methods) == (
        "card",
        "debit",
        ["standard", "instant"],
    )
    assert len(external.list(merchant).data) == 4
    assert [row.id for row in external.list(merchant, {"object": "card"}).data] == [card.id]
    shown: Any = stripe.v1.accounts.retrieve(merchant)
    assert {row.id for row in shown.external_accounts.data} >= {by_token.id, by_hash.id, card.id}
    assert types(stripe, merchant, "account.external_account.created") == (
        ["account.external_account.created"] * 4
    )


def test_external_accounts_are_paged(stripe: sdk.StripeClient, merchant: str) -> None:
    external: Any = stripe.v1.accounts.external_accounts
    for _ in range(4):
        external.create(merchant, {"external_account": "btok_us"})
    ids = [row.id for row in external.list(merchant, {"limit": 2}).auto_paging_iter()]
    assert len(ids) == len(set(ids)) == 5
    last = external.list(merchant, {"limit": 2, "ending_before": ids[-1]})
    assert [row.id for row in last.data] == ids[2:4]
    with pytest.raises(sdk.InvalidRequestError, match="No such"):
        external.list(merchant, {"starting_after": "ba_none"})


def test_one_external_account_a_currency_is_the_default(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    external: Any = stripe.v1.accounts.external_accounts
    first = external.list(merchant).data[0]
    second = external.create(merchant, {"external_account": BANK})
    with pytest.raises(sdk.InvalidRequestError, match="default_for_currency"):
        external.delete(merchant, first.id)
    changed = external.update(
        merchant, second.id, {"default_for_currency": True, "account_holder_name": "Ann"}
    )
    assert (changed.default_for_currency, changed.account_holder_name) == (True, "Ann")
    assert not external.retrieve(merchant, first.id).default_for_currency
    assert external.delete(merchant, first.id).deleted
    assert types(stripe, merchant, "account.external_account.*")[-3:] == [
        "account.external_account.updated",
        "account.external_account.updated",
        "account.external_account.deleted",
    ]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("btok_none", "resource_missing"),
        ({**BANK, "account_number": "!"}, "account_number_invalid"),
        ({**BANK, "routing_number": "1"}, "routing_number_invalid"),
        ({key: BANK[key] for key in BANK if key != "routing_number"}, "parameter_missing"),
        (
            {"object": "card", "number": "4242424242424242", "exp_month": 1, "exp_year": 2040},
            "invalid_card_type",
        ),
        ({"object": "card", "token": "tok_none"}, "resource_missing"),
    ],
)
def test_external_accounts_that_no_bank_has_are_refused(
    stripe: sdk.StripeClient, merchant: str, given: Any, code: str
) -> None:
    with pytest.raises(sdk.InvalidRequestError) as refused:
        stripe.v1.accounts.external_accounts.create(merchant, {"external_account": given})
    assert refused.value.code == code


def test_an_external_account_of_the_account_itself_takes_the_place_of_the_default(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    external: Any = stripe.v1.accounts.external_accounts
    former = external.list(merchant).data[0].id
    changed: Any = stripe.v1.accounts.update(merchant, {"external_account": "btok_us"})
    (bank,) = changed.external_accounts.data
    assert bank.id != former
    assert bank.default_for_currency
    with pytest.raises(sdk.InvalidRequestError, match="No such"):
        external.retrieve(merchant, former)


def test_of_a_card_only_what_is_printed_on_it_changes(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    external: Any = stripe.v1.accounts.external_accounts
    given = {"object": "card", "number": "5200828282828210", "exp_month": 1, "exp_year": 2030}
    card = external.create(merchant, {"external_account": given})
    changes = {"exp_month": "2", "exp_year": "2031", "address_city": "Bern", "metadata": {"a": "1"}}
    changed = external.update(merchant, card.id, changes)
    assert (changed.exp_month, changed.exp_year, changed.address_city) == (2, 2031, "Bern")
    assert (changed.last4, changed.metadata.to_dict()) == ("8210", {"a": "1"})
    with pytest.raises(sdk.InvalidRequestError, match="must be one of"):
        external.list(merchant, {"object": "cash"})


def test_a_persons_document_verifies_them(stripe: sdk.StripeClient, merchant: str) -> None:
    document: Any = {"document": {"front": "file_1"}}
    person: Any = stripe.v1.accounts.persons.create(merchant, {"verification": document})
    assert person.verification.status == "verified"


def test_tokens_are_of_bank_accounts_and_debit_cards(stripe: sdk.StripeClient) -> None:
    card: Any = {"number": "4000056655665556", "exp_month": 1, "exp_year": 2040}
    token: Any = stripe.v1.tokens.create({"card": card})
    assert (token.type, token.card.last4, token.used) == ("card", "5556", False)
    assert stripe.v1.tokens.retrieve(token.id).id == token.id
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.tokens.create({"pii": {"id_number": "1"}})


def test_login_links_open_the_express_dashboard_once(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    link = stripe.v1.accounts.login_links.create(merchant)
    page = visit(link.url)
    assert page.status == 200
    assert "<h1>Express dashboard</h1>" in page.text
    assert visit(link.url).status == 410


def test_login_links_are_for_onboarded_express_accounts(stripe: sdk.StripeClient) -> None:
    fresh = stripe.v1.accounts.create({"type": "express"}).id
    with pytest.raises(sdk.InvalidRequestError, match="has not completed onboarding"):
        stripe.v1.accounts.login_links.create(fresh)
    standard = stripe.v1.accounts.create({"type": "standard"}).id
    with pytest.raises(
        sdk.InvalidRequestError, match="does not have access to the Express Dashboard"
    ):
        stripe.v1.accounts.login_links.create(standard)


def test_account_sessions_open_the_components_that_were_asked_for(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    wanted: Any = {
        "payments": {"enabled": True, "features": {"refund_management": False}},
        "account_onboarding": {"enabled": True},
    }
    session: Any = stripe.v1.account_sessions.create({"account": merchant, "components": wanted})
    assert session.account == merchant
    assert session.client_secret.startswith("accs_secret__")
    assert session.expires_at > 0
    assert session.components.payments.enabled
    assert not session.components.payments.features.refund_management
    assert session.components.payments.features.dispute_management
    assert not session.components.payouts.enabled
    assert not session.components.payouts.features.standard_payouts
    with pytest.raises(sdk.InvalidRequestError, match="No such account"):
        stripe.v1.account_sessions.create({"account": "acct_none", "components": wanted})


def test_a_rejected_account_may_do_nothing_until_it_is_taken_back(
    stripe: sdk.StripeClient, merchant: str
) -> None:
    rejected: Any = stripe.v1.accounts.reject(merchant, {"reason": "fraud_other"})
    assert rejected.requirements.disabled_reason == "rejected.platform_fraud"
    assert (rejected.charges_enabled, rejected.payouts_enabled) == (False, False)
    assert rejected.capabilities.transfers == "inactive"
    again: Any = stripe.v1.accounts.unreject(merchant)
    assert again.charges_enabled
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.accounts.unreject(merchant)
    with pytest.raises(sdk.InvalidRequestError):
        stripe.v1.accounts.reject(merchant, {"reason": "whim"})


def test_only_who_is_liable_rejects(stripe: sdk.StripeClient) -> None:
    standard = stripe.v1.accounts.create({"type": "standard"}).id
    with pytest.raises(sdk.InvalidRequestError, match="liable"):
        stripe.v1.accounts.reject(standard, {"reason": "other"})


def test_who_merely_was_let_in_does_not_see_bank_accounts(
    stand_in: StandIn, stripe: sdk.StripeClient
) -> None:
    page = visit(stripe.oauth.authorize_url({"redirect_uri": "http://shop.localhost/"}))
    code = page.submit(action="connect").target.partition("code=")[2]
    token: Any = stripe.oauth.token({"grant_type": "authorization_code", "code": code})
    with pytest.raises(sdk.PermissionError, match="required permissions"):
        stripe.v1.accounts.external_accounts.list(token.stripe_user_id)
