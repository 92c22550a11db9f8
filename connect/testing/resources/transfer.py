"""Transfers to connected accounts: on the platform, arriving as a `py_` charge in the destination."""

from dataclasses import dataclass

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import account, application_fee, payment
from connect.testing.resources.application_fee import Taken
from connect.testing.resources.balance_transaction import Movement, book
from connect.testing.resources.price import currency
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

transfer = Noun("transfer", "/v1/transfers", "Transfer")
INSUFFICIENT = (
    "You have insufficient available funds in your Stripe account. Try adding funds directly to your available "
    "balance by creating Charges using the 4000000000000077 test card. See: "
    "https://stripe.com/docs/testing#available-balance"
)


@dataclass(frozen=True)
class Sending:
    """A transfer about to be made; `fee_amount` is what the platform keeps of it as application fee."""

    amount: int
    currency: str
    destination: str
    available_on: int
    source_transaction: str | None = None
    transfer_group: str | None = None
    fee_amount: int = 0
    description: str | None = None


@transfer.create
def create(call: Call) -> StripeObject:
    """Without `source_transaction` the money must be available already; with it the transfer waits for the charge."""
    params = call.params
    code = currency(params["currency"])
    account.require_capability(call, params["destination"], "transfers", param="destination")
    source = params.get("source_transaction")
    if source is None:
        amount, available_on, group = params.get("amount"), call.now, params.get("transfer_group")
        if amount is None:
            raise errors.parameter_missing("amount")
        if positive(amount) > call.funds(code).available:
            raise errors.balance_insufficient(INSUFFICIENT)
    else:
        paid = call.get("charge", source, param="source_transaction")
        left = transferable(call, paid)
        amount = params.get("amount", left)
        group = (
            params.get("transfer_group")
            or paid["transfer_group"]
            or f"group_{paid['payment_intent']}"
        )
        available_on = call.get("balance_transaction", paid["balance_transaction"])["available_on"]
        if positive(amount) > left or paid["currency"] != code:
            message = "The transfers of a charge may not exceed its amount, and have its currency."
            raise errors.balance_insufficient(message)
    sending = Sending(amount, code, params["destination"], available_on, source, group)
    return send(call, sending, metadata=call.metadata(), description=params.get("description"))


def of_charge(call: Call, paid: StripeObject, available_on: int) -> StripeObject:
    """The transfer that a destination charge makes by itself: all of it, or `transfer_data[amount]`."""
    data = paid["transfer_data"]
    amount = data.get("amount") if data.get("amount") is not None else paid["amount_captured"]
    group = paid["transfer_group"] or f"group_{paid['payment_intent']}"
    fee_amount = paid["application_fee_amount"] or 0
    sending = Sending(
        amount, paid["currency"], data["destination"], available_on, paid["id"], group, fee_amount
    )
    return send(call, sending)


def send(
    call: Call,
    sending: Sending,
    *,
    metadata: StripeObject | None = None,
    description: str | None = None,
) -> StripeObject:
    """Move the money and leave its traces on both accounts. `call` is on the platform."""
    id_, payment_id = call.new_id("tr"), call.new_id("py")
    out = Movement(
        "transfer", -sending.amount, sending.currency, id_, available_on=sending.available_on
    )
    obj: StripeObject = {
        "id": id_,
        "object": "transfer",
        "amount": sending.amount,
        "amount_reversed": 0,
        "balance_transaction": book(call, out)["id"],
        "created": call.now,
        "currency": sending.currency,
        "description": description,
        "destination": sending.destination,
        "destination_payment": payment_id,
        "livemode": False,
        "metadata": metadata or {},
        "reversals": lists.sublist(f"{transfer.path}/{id_}/reversals", [], total_count=True),
        "reversed": False,
        "source_transaction": sending.source_transaction,
        "source_type": "card",
        "transfer_group": sending.transfer_group,
    }
    call.insert(obj, "transfer.created")
    merchant = call.on(sending.destination)
    fee = None
    if sending.fee_amount:
        fee_id = call.new_id("fee")
        origin = sending.source_transaction
        fee = Taken(
            fee_id, sending.fee_amount, payment_id, sending.currency, origin, sending.available_on
        )
    payment.arrive(merchant, obj, fee, sending.available_on)
    if fee is not None:
        application_fee.take(merchant, fee)
    return obj


def transferable(call: Call, paid: StripeObject) -> int:
    """What may still be transferred out of a charge, in minor units."""
    if not paid["captured"] or paid["balance_transaction"] is None:
        raise errors.Refused(
            400, f"Charge {paid['id']} is not captured yet.", param="source_transaction"
        )
    before: list[int] = [
        row["amount"]
        for row in call.newest_first("transfer")
        if row["source_transaction"] == paid["id"]
    ]
    captured: int = paid["amount_captured"]
    return captured - sum(before)


def positive(amount: int) -> int:
    if amount < 1:
        raise errors.Refused(
            400,
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    return amount


transfer.retrieve()
transfer.list("destination", "transfer_group")
transfer.update("description", event="transfer.updated")
