"""Payment methods, and how Stripe's test cards behave when they are charged."""

from dataclasses import dataclass
from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import sepa_debit
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

payment_method = Noun("payment_method", "/v1/payment_methods", "PaymentMethod")


@dataclass(frozen=True)
class TestCard:
    """What becomes of a payment. `decline` is (code, decline_code, message)."""

    number: str
    brand: str = "visa"
    decline: tuple[str, str | None, str] | None = None
    dispute: str | None = None
    inquiry: bool = False
    bypass_pending: bool = False
    authentication_required: bool = False


DECLINED = "Your card was declined."
CARDS = {
    "visa": TestCard("4242424242424242"),
    "visa_debit": TestCard("4000056655665556"),
    "mastercard": TestCard("5555555555554444", "mastercard"),
    "amex": TestCard("378282246310005", "amex"),
    "discover": TestCard("6011111111111117", "discover"),
    "us": TestCard("4242424242424242"),
    "bypassPending": TestCard("4000000000000077", bypass_pending=True),
    "chargeDeclined": TestCard(
        "4000000000000002", decline=("card_declined", "generic_decline", DECLINED)
    ),
    "chargeCustomerFail": TestCard(
        "4000000000000341", decline=("card_declined", "generic_decline", DECLINED)
    ),
    "chargeDeclinedInsufficientFunds": TestCard(
        "4000000000009995",
        decline=("card_declined", "insufficient_funds", "Your card has insufficient funds."),
    ),
    "chargeDeclinedLostCard": TestCard(
        "4000000000009987", decline=("card_declined", "lost_card", DECLINED)
    ),
    "chargeDeclinedStolenCard": TestCard(
        "4000000000009979", decline=("card_declined", "stolen_card", DECLINED)
    ),
    "chargeDeclinedFraudulent": TestCard(
        "4100000000000019", decline=("card_declined", "fraudulent", DECLINED)
    ),
    "chargeDeclinedExpiredCard": TestCard(
        "4000000000000069", decline=("expired_card", None, "Your card has expired.")
    ),
    "chargeDeclinedIncorrectCvc": TestCard(
        "4000000000000127",
        decline=("incorrect_cvc", None, "Your card's security code is incorrect."),
    ),
    "chargeDeclinedProcessingError": TestCard(
        "4000000000000119",
        decline=(
            "processing_error",
            None,
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    "createDispute": TestCard("4000000000000259", dispute="fraudulent"),
    "createDisputeProductNotReceived": TestCard("4000000000002685", dispute="product_not_received"),
    "createDisputeInquiry": TestCard("4000000000001976", dispute="fraudulent", inquiry=True),
    "authenticationRequired": TestCard("4000002500003155", authentication_required=True),
    "authenticationRequiredOnSetup": TestCard("4000002500003155", authentication_required=True),
    "threeDSecure2Required": TestCard("4000000000003220", authentication_required=True),
    "threeDSecureRequired": TestCard("4000000000003063", authentication_required=True),
}
BY_LAST4 = {card.number[-4:]: card for card in CARDS.values()}


@payment_method.create
def create(call: Call) -> StripeObject:
    params = call.params
    return call.insert(described(call, params))


def described(call: Call, given: dict[str, Any]) -> StripeObject:
    """A payment method of the kind that `given` describes, not stored yet."""
    kind, billing_details = given.get("type", "card"), given.get("billing_details")
    if kind == "card":
        return build(call, card_of(given.get("card") or {}), billing_details)
    if kind == "sepa_debit":
        return blank(call, kind, sepa_debit.details(call, given), billing_details)
    if kind == "customer_balance":
        return blank(call, kind, {}, billing_details)
    message = "The stand-in knows the types card, sepa_debit and customer_balance only."
    raise errors.Refused(400, message, param="type")


def use(call: Call, id_: str, *, param: str = "payment_method") -> StripeObject:
    """The stored payment method, or a new one for a test name like `pm_card_visa`."""
    for prefix in ("pm_card_visa_", "pm_card_", "tok_"):
        if id_.startswith(prefix) and id_.removeprefix(prefix) in CARDS:
            return call.insert(build(call, CARDS[id_.removeprefix(prefix)]))
    return call.get("payment_method", id_, param=param)


def card_of(given: dict[str, Any]) -> TestCard:
    """The test card of this number or token."""
    name = str(given.get("token", "")).removeprefix("tok_")
    number = str(given.get("number", CARDS["visa"].number))
    if name and name not in CARDS:
        raise errors.resource_missing("token", f"tok_{name}", param="card[token]", in_path=False)
    if name:
        return CARDS[name]
    if not number.isdecimal() or number[-4:] not in BY_LAST4:
        raise errors.Refused(
            402,
            "Your card number is incorrect.",
            type="card_error",
            code="incorrect_number",
            param="number",
        )
    return BY_LAST4[number[-4:]]


def behaviour(method: StripeObject) -> TestCard:
    """How it behaves when charged; what is no card just pays."""
    return BY_LAST4[method["card"]["last4"]] if method["type"] == "card" else CARDS["visa"]


def build(call: Call, card: TestCard, billing_details: StripeObject | None = None) -> StripeObject:
    unchecked = ("address_line1_check", "address_postal_code_check")
    details = {
        "brand": card.brand,
        "checks": {**dict.fromkeys(unchecked), "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": call.world.ids.characters(16),
        "funding": "credit",
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return blank(call, "card", details, billing_details)


def blank(
    call: Call, kind: str, details: StripeObject, billing_details: StripeObject | None
) -> StripeObject:
    return {
        "id": call.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing(billing_details),
        "created": call.now,
        "customer": None,
        "customer_account": None,
        kind: details,
        "livemode": False,
        "metadata": call.metadata() if "type" in call.params else {},
        "type": kind,
    }


def billing(given: StripeObject | None) -> StripeObject:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    own: StripeObject = {"address": address, **dict.fromkeys(("email", "name", "phone", "tax_id"))}
    return {**own, **(given or {}), "address": {**address, **((given or {}).get("address") or {})}}


@payment_method.action("attach")
def attach(call: Call) -> StripeObject:
    if not call.params.get("customer"):
        raise errors.parameter_missing("customer")
    customer = call.get("customer", call.params["customer"], param="customer")
    return attach_to(call, use(call, call.path["id"]), customer["id"])


def attach_to(call: Call, method: StripeObject, customer: str) -> StripeObject:
    return call.change(method, {"customer": customer}, "payment_method.attached")


@payment_method.action("detach")
def detach(call: Call) -> StripeObject:
    method = call.get("payment_method", call.path["id"])
    return call.change(method, {"customer": None}, "payment_method.detached", previous=True)


@route("GET", "/v1/customers/{customer}/payment_methods", "CustomerPaymentMethodListParams")
def of_customer(call: Call) -> StripeObject:
    customer = call.get("customer", call.path["customer"])
    url = f"/v1/customers/{customer['id']}/payment_methods"
    return lists.page(
        call, "payment_method", url, lambda method: bool(method["customer"] == customer["id"])
    )


payment_method.retrieve()
payment_method.list("customer", "type")
payment_method.update("billing_details", event="payment_method.updated")
