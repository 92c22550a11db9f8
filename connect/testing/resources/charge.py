"""Charges, and where their money goes: the account's balance, Stripe's fee, the platform's fee, the transfer."""

from connect.testing.call import Call
from connect.testing.resources import application_fee, transfer
from connect.testing.resources.application_fee import Taken
from connect.testing.resources.balance_transaction import Fee, Movement, book
from connect.testing.resources.payment import blank
from connect.testing.resources.payment_method import TestCard, behaviour
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

charge = Noun("charge", "/v1/charges", "Charge")
PENDING_SECONDS = 2 * 24 * 3600
FROM_INTENT = (
    "application_fee_amount",
    "customer",
    "description",
    "metadata",
    "on_behalf_of",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
)


def attempt(call: Call, intent: StripeObject, method: StripeObject) -> StripeObject:
    """Charge the card for the intent: a new charge, succeeded, waiting for capture, or failed, with its event."""
    card = behaviour(method)
    captured = card.decline is None and intent["capture_method"] != "manual"
    obj = build(call, intent, method) | {
        "amount_captured": intent["amount"] if captured else 0,
        "captured": captured,
        "paid": card.decline is None,
        "status": "succeeded" if card.decline is None else "failed",
    }
    if card.decline is not None:
        obj |= {"failure_code": card.decline[0], "failure_message": card.decline[2]}
        return call.insert(obj, "charge.failed")
    # With `automatic_async` (the default) the answer does not wait for the balance transaction; it follows.
    if captured and intent["capture_method"] == "automatic":
        obj |= settle(call, obj, card)
    return call.insert(obj, "charge.succeeded")


def build(call: Call, intent: StripeObject, method: StripeObject) -> StripeObject:
    """The charge of an intent before it is known what becomes of it, not stored yet."""
    return {
        "id": call.new_id("ch"),
        **blank(call),
        **{name: intent[name] for name in FROM_INTENT},
        "amount": intent["amount"],
        "amount_captured": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "STAND-IN",
        "captured": False,
        "currency": intent["currency"],
        "outcome": outcome(behaviour(method)),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": details(method, intent["amount"]),
        "status": "pending",
    }


def settle(call: Call, obj: StripeObject, card: TestCard) -> StripeObject:
    """Book a captured charge wherever its money moves. Returns what this changes on the charge."""
    amount, currency = obj["amount_captured"], obj["currency"]
    available_on = call.now if card.bypass_pending else call.now + PENDING_SECONDS
    fees = [Fee(stripe_fee(amount), "stripe_fee", description="Stripe processing fees")]
    changes: StripeObject = {"receipt_url": f"{call.base_url}/receipts/{obj['id']}"}
    fee_amount = obj["application_fee_amount"] or 0
    if call.account:
        if platform_pays(call):
            book(call.on(""), Movement("stripe_fee", -fees.pop().amount, currency, obj["id"]))
        if fee_amount:
            fees.append(
                Fee(fee_amount, "application_fee", call.world.application, "Application fee")
            )
            taken = Taken(
                call.new_id("fee"), fee_amount, obj["id"], currency, available_on=available_on
            )
            changes["application_fee"] = application_fee.take(call, taken)["id"]
    booked = Movement("charge", amount, currency, obj["id"], tuple(fees), available_on)
    changes["balance_transaction"] = book(call, booked)["id"]
    destination = (obj["transfer_data"] or {}).get("destination")
    if destination:
        sent = transfer.of_charge(call, obj, available_on)
        changes |= {"transfer": sent["id"], "transfer_group": sent["transfer_group"]}
        if fee_amount:
            payment = call.on(destination).get("charge", sent["destination_payment"])
            changes["application_fee"] = payment["application_fee"]
    return changes


def platform_pays(call: Call) -> bool:
    account = call.on("").get("account", call.account)
    return bool(account["controller"]["fees"]["payer"] == "application")


def stripe_fee(amount: int) -> int:
    """2.9 % and 30, in minor units."""
    return (amount * 29 + 500) // 1000 + 30


def details(method: StripeObject, amount: int) -> StripeObject:
    kind = method["type"]
    shown = card_details(method, amount) if kind == "card" else method[kind]
    return {kind: shown, "type": kind}


def card_details(method: StripeObject, amount: int) -> StripeObject:
    card = method["card"]
    kept = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "wallet",
    )
    nothing = (
        "authorization_code",
        "installments",
        "mandate",
        "network_transaction_id",
        "three_d_secure",
    )
    return {
        **{name: card[name] for name in (*kept, "regulated_status")},
        **dict.fromkeys((*nothing, "transaction_link_id")),
        "amount_authorized": amount,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
    }


def outcome(card: TestCard) -> StripeObject:
    declined = card.decline is not None
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if declined else "approved_by_network",
        "reason": (card.decline[1] or card.decline[0]) if card.decline else None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details."
        if declined
        else "Payment complete.",
        "type": "issuer_declined" if declined else "authorized",
    }


charge.retrieve()
charge.list("customer", "payment_intent", "transfer_group")
charge.update(
    "customer",
    "description",
    "fraud_details",
    "receipt_email",
    "shipping",
    "transfer_group",
    event="charge.updated",
)
