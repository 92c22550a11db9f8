"""3-D Secure: the page where a payment that asks for it is completed, or not."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe as sdk

from connect.testing import StandIn
from tests.connect.testing.browser import visit

Pay = Callable[..., Any]
BACK = "http://shop.localhost/paid?order=1"


def asked(pay: Pay, on: str | None = None, **params: Any) -> Any:
    intent = pay(on=on, card="authenticationRequired", expand=[], **params)
    assert intent.status == "requires_action"
    return intent


def test_completing_the_page_pays(stripe: sdk.StripeClient, pay: Pay, merchant: str) -> None:
    intent = asked(pay, on=merchant, return_url=BACK, application_fee_amount=100)
    page = visit(intent.next_action.redirect_to_url.url)
    assert page.status == 200
    assert "This is not Stripe" in page.text
    done = page.submit(action="complete")
    assert done.status == 303
    assert done.target.startswith(BACK + "&")
    said = parse_qs(urlsplit(done.target).query)
    assert said["payment_intent"] == [intent.id]
    assert said["payment_intent_client_secret"] == [intent.client_secret]
    assert said["redirect_status"] == ["succeeded"]
    options: Any = {"stripe_account": merchant}
    paid: Any = stripe.v1.payment_intents.retrieve(intent.id, None, options)
    assert (paid.status, paid.next_action, paid.amount_received) == ("succeeded", None, 1000)
    assert visit(page.url).status == 410


def test_failing_the_page_asks_for_another_card(stripe: sdk.StripeClient, pay: Pay) -> None:
    intent = asked(pay, return_url=BACK)
    page = visit(intent.next_action.redirect_to_url.url)
    assert "redirect_status=failed" in page.submit(action="fail").target
    failed: Any = stripe.v1.payment_intents.retrieve(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    event = stripe.v1.events.list({"type": "payment_intent.payment_failed"}).data[0]
    assert event.data.object["id"] == intent.id
    retried = stripe.v1.payment_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert retried.status == "succeeded"


@pytest.mark.parametrize(("action", "says"), [("complete", "it worked"), ("fail", "did not work")])
def test_without_a_way_back_the_page_says_how_it_went(pay: Pay, action: str, says: str) -> None:
    page = visit(asked(pay).next_action.redirect_to_url.url)
    assert says in page.submit(action=action).text


def test_a_manual_capture_waits_after_authentication(stripe: sdk.StripeClient, pay: Pay) -> None:
    intent = asked(pay, capture_method="manual", return_url=BACK)
    done = visit(intent.next_action.redirect_to_url.url).submit(action="complete")
    assert "redirect_status=succeeded" in done.target
    assert stripe.v1.payment_intents.retrieve(intent.id).status == "requires_capture"


def test_only_the_secret_opens_the_page(stand_in: StandIn, pay: Pay) -> None:
    intent = asked(pay)
    assert visit(f"{stand_in.url}/authenticate/{intent.id}").status == 404
    assert visit(f"{stand_in.url}/authenticate/{intent.id}_secret_none").status == 404
