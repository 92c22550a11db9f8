"""Transfer reversals: the money comes back from the destination, which sees its `py_` charge refunded."""

from dataclasses import dataclass, field

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import application_fee
from connect.testing.resources.balance_transaction import Movement, book
from connect.testing.resources.payment_refund import Part, of_reversal, share
from connect.testing.resources.transfer import positive
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v1/transfers/{transfer}/reversals"


@dataclass(frozen=True)
class Reversing:
    amount: int
    refund_application_fee: bool = False
    source_refund: str | None = None
    metadata: StripeObject = field(default_factory=dict)


@route("POST", PATH, "TransferReversalCreateParams")
def create(call: Call) -> StripeObject:
    sent = call.get("transfer", call.path["transfer"])
    amount = call.params.get("amount", sent["amount"] - sent["amount_reversed"])
    with_fee = bool(call.params.get("refund_application_fee"))
    return reverse(call, sent, Reversing(amount, with_fee, metadata=call.metadata()))


def reverse(call: Call, sent: StripeObject, reversing: Reversing) -> StripeObject:
    """Take the money back and leave the traces on both accounts. `call` is on the platform.

    Raises Refused if the destination cannot cover it, or if less than this is left of the transfer.
    """
    amount, left = positive(reversing.amount), sent["amount"] - sent["amount_reversed"]
    if amount > left:
        message = f"Transfer reversal amount ({amount}) is greater than the amount left to reverse ({left})."
        raise errors.Refused(400, message, param="amount")
    merchant = call.on(sent["destination"])
    if amount > merchant.funds(sent["currency"]).total:
        message = f"The account {sent['destination']} has insufficient funds to cover this transfer reversal."
        raise errors.balance_insufficient(message)
    id_ = call.new_id("trr")
    given_back = 0
    if reversing.refund_application_fee:
        given_back = refund_fee(call, merchant.get("charge", sent["destination_payment"]), amount)
    back = Movement("transfer_refund", amount, sent["currency"], id_)
    payment_refund = of_reversal(merchant, sent, id_, Part(amount, given_back))
    obj: StripeObject = {
        "id": id_,
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": book(call, back)["id"],
        "created": call.now,
        "currency": sent["currency"],
        "destination_payment_refund": payment_refund["id"],
        "metadata": reversing.metadata,
        "source_refund": reversing.source_refund,
        "transfer": sent["id"],
    }
    call.insert(obj)
    reversed_ = sent["amount_reversed"] + amount
    changes = {
        "amount_reversed": reversed_,
        "reversals": lists.append(sent["reversals"], obj),
        "reversed": reversed_ == sent["amount"],
    }
    call.change(sent, changes, "transfer.reversed", previous=True)
    return obj


def refund_fee(call: Call, charge: StripeObject, amount: int) -> int:
    """Give back the application fee of `charge` in proportion to `amount` of it.

    `call` is on the platform. Returns what was given back, in minor units.
    """
    if charge["application_fee"] is None:
        return 0
    fee = call.get("application_fee", charge["application_fee"])
    left = fee["amount"] - fee["amount_refunded"]
    part: int = min(left, share(fee["amount"], charge, amount))
    if part:
        application_fee.give_back(call, fee, part)
    return part


@route("GET", PATH, "TransferReversalListParams")
def list_(call: Call) -> StripeObject:
    sent = call.get("transfer", call.path["transfer"])
    return lists.page(
        call,
        "transfer_reversal",
        sent["reversals"]["url"],
        lambda row: bool(row["transfer"] == sent["id"]),
    )


@route("GET", PATH + "/{id}", "TransferReversalRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    obj = call.get("transfer_reversal", call.path["id"])
    if obj["transfer"] != call.path["transfer"]:
        raise errors.resource_missing("transfer_reversal", obj["id"])
    return obj


@route("POST", PATH + "/{id}", "TransferReversalUpdateParams")
def update(call: Call) -> StripeObject:
    return call.change(retrieve(call), {"metadata": call.metadata(retrieve(call))})
