"""The hosted onboarding page behind an account link, and what each way of leaving it makes of the account."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.browser import Page, visit

RETURN = "http://shop.localhost/return?from=stripe"
REFRESH = "http://shop.localhost/refresh"
Opened = Callable[..., tuple[str, Page]]


def link_to(stripe: sdk.StripeClient, account: str, **params: Any) -> str:
    given: Any = {
        "account": account,
        "type": "account_onboarding",
        "refresh_url": REFRESH,
        "return_url": RETURN,
        **params,
    }
    return stripe.v1.account_links.create(given).url


@pytest.fixture
def opened(stripe: sdk.StripeClient) -> Opened:
    """A new account and its onboarding page, open."""

    def opened(kind: str = "express", **params: Any) -> tuple[str, Page]:
        wanted: Any = {"transfers": {"requested": True}, "card_payments": {"requested": True}}
        given: Any = {"type": kind, "capabilities": wanted, **params}
        account = stripe.v1.accounts.create(given).id
        return account, visit(visit(link_to(stripe, account)).target)

    return opened


def test_submitting_the_page_enables_the_account_and_goes_back(
    stripe: sdk.StripeClient, opened: Opened
) -> None:
    account, page = opened()
    assert page.status == 200
    assert "This is not Stripe" in page.text
    done = page.submit(action="submit", business_name="Ann's", first_name="Ann", last_name="Lee")
    assert (done.status, done.target) == (303, RETURN)
    ready: Any = stripe.v1.accounts.retrieve(account)
    assert (ready.charges_enabled, ready.payouts_enabled, ready.details_submitted) == (
        True,
        True,
        True,
    )
    assert ready.capabilities.to_dict() == {"transfers": "active", "card_payments": "active"}
    assert ready.requirements.currently_due == []
    assert ready.business_profile.name == "Ann's"
    person = stripe.v1.accounts.persons.list(account).data[0]
    assert (person.first_name, person.last_name) == ("Ann", "Lee")


def test_the_page_reads_well_without_a_mouse_and_on_a_phone(opened: Opened) -> None:
    _, page = opened()
    assert page.unlabelled == []
    assert page.text.count("<h1>") == 1
    assert 'name="viewport"' in page.text
    assert "<legend>" in page.text
    assert "src=" not in page.text
    assert "@import" not in page.text


def test_onboarding_tells_the_accounts_own_scope(
    stripe: sdk.StripeClient, stand_in: StandIn, opened: Opened, receiver: Any
) -> None:
    stand_in.webhook_endpoint(receiver.url, connect=True)
    account, page = opened()
    page.submit(action="submit")
    assert stand_in.flush()
    assert {event["account"] for event in receiver.events} == {account}
    assert receiver.types[0] == "person.created"
    assert sorted(receiver.types[-3:]) == [
        "account.updated",
        "capability.updated",
        "capability.updated",
    ]
    assert "account.external_account.created" in receiver.types
    capability = receiver.events[-1]["data"]
    assert capability["object"]["status"] == "active"
    assert capability["previous_attributes"]["status"] == "inactive"


def test_a_link_opens_once_and_then_leads_to_the_refresh_url(
    stripe: sdk.StripeClient, opened: Opened
) -> None:
    account, _ = opened()
    url = link_to(stripe, account)
    assert "/setup/s/" in visit(url).target
    assert visit(url).target == REFRESH


def test_a_link_is_too_old_after_five_minutes(
    stripe: sdk.StripeClient, stand_in: StandIn, opened: Opened
) -> None:
    account, _ = opened()
    url = link_to(stripe, account)
    stand_in.advance(299)
    assert "/setup/s/" in visit(url).target
    url = link_to(stripe, account)
    stand_in.advance(300)
    assert visit(url).target == REFRESH


def test_leaving_for_later_changes_nothing_and_still_goes_back(
    stripe: sdk.StripeClient, opened: Opened
) -> None:
    account, page = opened()
    before = stripe.v1.accounts.retrieve(account).to_dict()
    assert page.submit(action="later").target == RETURN
    assert stripe.v1.accounts.retrieve(account).to_dict() == before
    assert visit(page.url).status == 404


@pytest.mark.parametrize(
    ("stand", "status", "reason"),
    [
        ("past_due", "inactive", "requirements.past_due"),
        ("currently_due", "active", None),
        ("pending_verification", "pending", "requirements.pending_verification"),
        ("eventually_due", "active", None),
        ("failed", "inactive", "requirements.past_due"),
        ("future", "active", None),
    ],
)
def test_what_is_left_undone_decides_what_the_account_may_do(
    stripe: sdk.StripeClient, opened: Opened, stand: str, status: str, reason: str | None
) -> None:
    account, page = opened()
    left = "individual.verification.document"
    page.submit(left, action="submit", stand=stand)
    found: Any = stripe.v1.accounts.retrieve(account)
    assert found.details_submitted
    assert found.capabilities.card_payments == status
    assert found.charges_enabled == (status == "active")
    assert found.requirements.disabled_reason == reason
    hash_ = found.future_requirements if stand == "future" else found.requirements
    place = "past_due" if stand == "failed" else "currently_due" if stand == "future" else stand
    assert getattr(hash_, place) == [left]
    if stand == "failed":
        assert hash_.errors[0].requirement == left
        assert hash_.errors[0].code.startswith("verification_")


def test_a_deadline_that_passes_restricts_the_account(
    stripe: sdk.StripeClient, stand_in: StandIn, opened: Opened
) -> None:
    account, page = opened()
    page.submit("individual.id_number", action="submit", stand="currently_due")
    before: Any = stripe.v1.accounts.retrieve(account)
    assert before.requirements.current_deadline > stand_in.clock.now()
    stand_in.advance(14 * 24 * 3600)
    after: Any = stripe.v1.accounts.retrieve(account)
    assert after.requirements.past_due == ["individual.id_number"]
    assert not after.charges_enabled
    event: Any = stripe.v1.events.list(
        {"type": "account.updated"}, {"stripe_account": account}
    ).data[0]
    assert event.data.previous_attributes.charges_enabled is True


def test_a_pending_check_passes_after_a_day(
    stripe: sdk.StripeClient, stand_in: StandIn, opened: Opened
) -> None:
    account, page = opened()
    page.submit("individual.verification.document", action="submit", stand="pending_verification")
    stand_in.advance(24 * 3600)
    assert stripe.v1.accounts.retrieve(account).charges_enabled


def test_without_a_bank_account_money_comes_in_and_not_out(
    stripe: sdk.StripeClient, opened: Opened
) -> None:
    account, page = opened()
    page.submit("external_account", action="submit")
    found: Any = stripe.v1.accounts.retrieve(account)
    assert (found.charges_enabled, found.payouts_enabled) == (True, False)
    assert found.external_accounts.data == []


def test_what_was_left_can_be_brought_later(stripe: sdk.StripeClient, opened: Opened) -> None:
    account, page = opened()
    page.submit("external_account", "individual.id_number", action="submit")
    again = visit(visit(link_to(stripe, account)).target)
    again.submit(action="submit")
    found: Any = stripe.v1.accounts.retrieve(account)
    assert found.payouts_enabled
    assert len(stripe.v1.accounts.persons.list(account).data) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"business_type": "circus"}, "Choose a type"),
        ({"bank_account": "1"}, "test bank accounts"),
        ({"url": "javascript:alert(1)"}, "website"),
        ({"day": "x"}, "date of birth"),
        ({"day": "99"}, "no such date"),
        ({"stand": "upright"}, "stand"),
        ({"leave_due[]": "everything"}, "on the list"),
    ],
)
def test_nonsense_on_the_page_is_refused_in_words(
    stripe: sdk.StripeClient, opened: Opened, changes: dict[str, str], says: str
) -> None:
    account, page = opened()
    refused = page.submit(action="submit", **changes)
    assert refused.status == 400
    assert says in refused.alert
    assert not stripe.v1.accounts.retrieve(account).details_submitted
    assert page.submit(action="submit").status == 303


def test_text_on_the_page_is_escaped(opened: Opened) -> None:
    evil = '"><script>alert(1)</script>'
    _, page = opened(business_profile={"name": evil}, email="a@example.com")
    assert "<script>" not in page.text
    assert "<script>" not in page.submit(action="submit", first_name=evil, day="x").text


def test_only_the_platform_that_collects_requirements_updates_by_link(
    stripe: sdk.StripeClient, opened: Opened
) -> None:
    account, _ = opened("custom")
    page = visit(visit(link_to(stripe, account, type="account_update")).target)
    assert "<h1>Update your account</h1>" in page.text
    express, _ = opened()
    with pytest.raises(sdk.InvalidRequestError, match=r'are \["account_onboarding"\]'):
        link_to(stripe, express, type="account_update")


def test_the_link_says_what_to_collect(
    stand_in: StandIn, stripe: sdk.StripeClient, opened: Opened
) -> None:
    account, _ = opened()
    for stand, options in (
        ("future", {"future_requirements": "include"}),
        ("eventually_due", {"fields": "eventually_due"}),
    ):
        stand_in.onboard(account, leave_due=["company.tax_id"], stand=stand)
        plain = visit(visit(link_to(stripe, account)).target)
        asked = visit(visit(link_to(stripe, account, collection_options=options)).target)
        assert "company.tax_id" not in plain.text
        assert "company.tax_id" in asked.text


@pytest.mark.parametrize("path", ["/setup/c/acct_1/none", "/setup/s/none", "/express/acct_1/none"])
def test_addresses_nobody_was_given_lead_nowhere(stand_in: StandIn, path: str) -> None:
    assert visit(stand_in.url + path).status in {404, 410}
    assert visit(stand_in.url + path, b"action=submit").status in {404, 410}


def test_a_link_without_a_way_back_says_so(stripe: sdk.StripeClient, opened: Opened) -> None:
    account, _ = opened()
    bare = stripe.v1.account_links.create({"account": account, "type": "account_onboarding"}).url
    page = visit(visit(bare).target)
    assert "You may close this page" in page.submit(action="submit").text
    assert visit(bare).status == 410


def test_links_lead_to_addresses_only(stripe: sdk.StripeClient, opened: Opened) -> None:
    account, _ = opened()
    with pytest.raises(sdk.InvalidRequestError) as refused:
        link_to(stripe, account, return_url="javascript:alert(1)")
    assert refused.value.code == "url_invalid"
