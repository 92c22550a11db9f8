"""What a customer has to its credit (negative) or owes besides its invoices: applied when an invoice is finalized."""

from typing import Any

from connect.testing import lists
from connect.testing.call import Call
from connect.testing.resources.price import currency
from connect.testing.routing import route
from connect.testing.store import StripeObject

NOUN = "customer_balance_transaction"
PATH = "/v1/customers/{customer}/balance_transactions"


@route("POST", PATH, "CustomerBalanceTransactionCreateParams")
def create(call: Call) -> StripeObject:
    customer = call.get("customer", call.path["customer"])
    code = currency(call.params["currency"])
    text = {"description": call.params.get("description"), "metadata": call.metadata()}
    return enter(call, customer, call.params["amount"], code, **text)


def enter(
    call: Call, customer: StripeObject, amount: int, code: str, **fields: Any
) -> StripeObject:
    """Change the customer's balance by `amount`, in minor units, and write down why."""
    balance = customer["balance"] + amount
    obj: StripeObject = {
        "id": call.new_id("cbtxn"),
        "object": NOUN,
        "amount": amount,
        "checkout_session": None,
        "created": call.now,
        "credit_note": None,
        "currency": code,
        "customer": customer["id"],
        "customer_account": None,
        "description": None,
        "ending_balance": balance,
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "type": "adjustment",
        **fields,
    }
    call.change(customer, {"balance": balance}, "customer.updated")
    return call.insert(obj)


@route("GET", PATH, "CustomerBalanceTransactionListParams")
def list_(call: Call) -> StripeObject:
    id_ = call.get("customer", call.path["customer"])["id"]
    url = f"/v1/customers/{id_}/balance_transactions"
    return lists.page(call, NOUN, url, lambda row: bool(row["customer"] == id_))


@route("GET", PATH + "/{id}", "CustomerBalanceTransactionRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return call.get(NOUN, call.path["id"])
