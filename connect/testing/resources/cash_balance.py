"""Customers' cash balances: money sent by bank transfer, kept for the customer until it pays an intent."""

from connect.testing import lists
from connect.testing.call import Call
from connect.testing.resources import charge, delayed_payment
from connect.testing.resources.price import currency
from connect.testing.resources.transfer import positive
from connect.testing.routing import route
from connect.testing.store import StripeObject

NOUN = "customer_cash_balance_transaction"
REGION = {"eur": "eu", "gbp": "gb", "jpy": "jp", "mxn": "mx"}
OF_CUSTOMER = "customers/{customer}"


@route(
    "POST",
    f"/v1/test_helpers/{OF_CUSTOMER}/fund_cash_balance",
    "test_helpers.CustomerFundCashBalanceParams",
)
def fund(call: Call) -> StripeObject:
    """The customer's bank sends money. What waits for it, oldest first, is paid."""
    customer = call.get("customer", call.path["customer"])["id"]
    purse = (customer, currency(call.params["currency"]))
    bank = {
        "reference": call.params.get("reference"),
        "type": f"{REGION.get(purse[1], 'us')}_bank_transfer",
    }
    amount = positive(call.params["amount"])
    made = enter(call, purse, amount, "funded", {"bank_transfer": bank})
    call.emit("cash_balance.funds_available", of(call, customer))
    for intent in list(call.world.store.oldest_first(call.account, "payment_intent")):
        if (intent["customer"], intent["currency"]) == purse:
            apply(call, intent)
    return made


def enter(
    call: Call, purse: tuple[str, str], amount: int, kind: str, details: StripeObject
) -> StripeObject:
    """Write one movement of a customer's money in one currency; `amount` is negative when it leaves for a payment."""
    customer, code = purse
    obj = {
        "id": call.new_id("ccsbtxn"),
        "object": NOUN,
        "created": call.now,
        "currency": code,
        "customer": customer,
        "customer_account": None,
        "ending_balance": available(call, purse) + amount,
        kind: details,
        "livemode": False,
        "net_amount": amount,
        "type": kind,
    }
    return call.insert(obj, NOUN + ".created")


def available(call: Call, purse: tuple[str, str]) -> int:
    rows = call.newest_first(NOUN)
    return sum(row["net_amount"] for row in rows if (row["customer"], row["currency"]) == purse)


def of(call: Call, customer: str) -> StripeObject:
    codes = {row["currency"] for row in call.newest_first(NOUN) if row["customer"] == customer}
    return {
        "object": "cash_balance",
        "available": {code: available(call, (customer, code)) for code in sorted(codes)} or None,
        "customer": customer,
        "customer_account": None,
        "livemode": False,
        "settings": {"reconciliation_mode": "automatic", "using_merchant_default": True},
    }


def ask(call: Call, intent: StripeObject, _: StripeObject) -> StripeObject:
    """The intent waits for a bank transfer, or takes what is there already."""
    asked = {"status": "requires_action", "next_action": instructions(intent, intent["amount"])}
    return apply(call, call.change(intent, asked, "payment_intent.requires_action"))


def apply(call: Call, intent: StripeObject) -> StripeObject:
    """Pay the intent if the customer's money suffices; say so if it does in part."""
    waits = (intent["next_action"] or {}).get("type") == "display_bank_transfer_instructions"
    purse = (intent["customer"] or "", intent["currency"])
    there = available(call, purse)
    if not waits or there == 0:
        return intent
    if there < intent["amount"]:
        asked = {"next_action": instructions(intent, intent["amount"] - there)}
        return call.change(intent, asked, "payment_intent.partially_funded")
    used = {"payment_intent": intent["id"]}
    enter(call, purse, -intent["amount"], "applied_to_payment", used)
    method = call.get("payment_method", intent["payment_method"])
    made = call.insert(charge.build(call, intent, method))
    return delayed_payment.succeed(call, intent, made)


def instructions(intent: StripeObject, remaining: int) -> StripeObject:
    shown = {
        "amount_remaining": remaining,
        "currency": intent["currency"],
        "financial_addresses": [],
        "hosted_instructions_url": None,
        "reference": intent["id"][-12:].upper(),
        "type": f"{REGION.get(intent['currency'], 'us')}_bank_transfer",
    }
    kind = "display_bank_transfer_instructions"
    return {kind: shown, "type": kind}


@route("GET", f"/v1/{OF_CUSTOMER}/cash_balance", "CustomerCashBalanceRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return of(call, call.get("customer", call.path["customer"])["id"])


@route(
    "GET",
    f"/v1/{OF_CUSTOMER}/cash_balance_transactions",
    "CustomerCashBalanceTransactionListParams",
)
def list_(call: Call) -> StripeObject:
    customer = call.get("customer", call.path["customer"])["id"]
    url = f"/v1/customers/{customer}/cash_balance_transactions"
    return lists.page(call, NOUN, url, lambda row: bool(row["customer"] == customer))
