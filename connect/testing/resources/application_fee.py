"""Application fees: on the platform, naming the connected account and its charge."""

from dataclasses import dataclass

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources.balance_transaction import Fee, Movement, book
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

application_fee = Noun("application_fee", "/v1/application_fees", "ApplicationFee")


@dataclass(frozen=True)
class Taken:
    """A fee about to be taken from `charge`, which lives on the connected account of the call."""

    id: str
    amount: int
    charge: str
    currency: str
    originating_transaction: str | None = None
    available_on: int | None = None


def take(call: Call, taken: Taken) -> StripeObject:
    """Create the fee on the platform and book its income there. `call` is in the connected account."""
    platform = call.on("")
    income = Movement(
        "application_fee", taken.amount, taken.currency, taken.id, available_on=taken.available_on
    )
    url = f"{application_fee.path}/{taken.id}/refunds"
    obj: StripeObject = {
        "id": taken.id,
        "object": "application_fee",
        "account": call.account,
        "amount": taken.amount,
        "amount_refunded": 0,
        "application": call.world.application,
        "balance_transaction": book(platform, income)["id"],
        "charge": taken.charge,
        "created": call.now,
        "currency": taken.currency,
        "fee_source": {"charge": taken.charge, "type": "charge"},
        "livemode": False,
        "originating_transaction": taken.originating_transaction,
        "refunded": False,
        "refunds": lists.sublist(url, [], total_count=True),
    }
    return platform.insert(obj, "application_fee.created")


def give_back(
    call: Call, fee: StripeObject, amount: int, metadata: StripeObject | None = None
) -> StripeObject:
    """Refund a part of the fee: the platform's side only. `call` is on the platform; returns the fee refund."""
    left = fee["amount"] - fee["amount_refunded"]
    if amount > left:
        raise errors.Refused(
            400,
            f"Refund amount ({amount}) is greater than unrefunded amount on application fee ({left}).",
            param="amount",
        )
    id_ = call.new_id("fr")
    refund: StripeObject = {
        "id": id_,
        "object": "fee_refund",
        "amount": amount,
        "balance_transaction": book(
            call, Movement("application_fee_refund", -amount, fee["currency"], id_)
        )["id"],
        "created": call.now,
        "currency": fee["currency"],
        "fee": fee["id"],
        "metadata": metadata or {},
    }
    call.insert(refund)
    refunded = fee["amount_refunded"] + amount
    changes = {
        "amount_refunded": refunded,
        "refunded": refunded == fee["amount"],
        "refunds": lists.append(fee["refunds"], refund),
    }
    call.change(fee, changes, "application_fee.refunded", previous=True)
    return refund


@route("POST", "/v1/application_fees/{fee}/refunds", "ApplicationFeeRefundCreateParams")
def refund(call: Call) -> StripeObject:
    """A fee refunded by itself: the connected account gets it back as a movement of its own."""
    fee = call.get("application_fee", call.path["fee"])
    amount = call.params.get("amount", fee["amount"] - fee["amount_refunded"])
    if amount < 1:
        raise errors.Refused(
            400, f"Application fee {fee['id']} has already been refunded.", param="id"
        )
    obj = give_back(call, fee, amount, call.metadata())
    back = Movement(
        "application_fee_refund",
        0,
        fee["currency"],
        fee["charge"],
        (Fee(-amount, "application_fee"),),
    )
    book(call.on(fee["account"]), back)
    return obj


@route("GET", "/v1/application_fees/{fee}/refunds", "ApplicationFeeRefundListParams")
def refunds(call: Call) -> StripeObject:
    fee = call.get("application_fee", call.path["fee"])
    return lists.page(
        call, "fee_refund", fee["refunds"]["url"], lambda row: bool(row["fee"] == fee["id"])
    )


@route("GET", "/v1/application_fees/{fee}/refunds/{id}", "ApplicationFeeRefundRetrieveParams")
def retrieve_refund(call: Call) -> StripeObject:
    obj = call.get("fee_refund", call.path["id"])
    if obj["fee"] != call.path["fee"]:
        raise errors.resource_missing("fee_refund", obj["id"])
    return obj


application_fee.retrieve()
application_fee.list("charge")
