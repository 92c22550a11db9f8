"""Balance transactions: the only way money gets into or out of an account."""

from dataclasses import dataclass

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.routing import Noun, route, view
from connect.testing.store import StripeObject

balance_transaction = Noun("balance_transaction", "/v1/balance_transactions", "BalanceTransaction")
CATEGORIES = {
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "payment": "charge",
    "payment_refund": "refund",
    "payout_failure": "payout_reversal",
    "stripe_fee": "fee",
    "transfer_refund": "transfer_reversal",
}


@dataclass(frozen=True)
class Fee:
    """A part of `fee`, in minor units. An application fee names the platform that takes it."""

    amount: int
    type: str
    application: str | None = None
    description: str | None = None

    def detail(self, currency: str) -> StripeObject:
        return {
            "amount": self.amount,
            "application": self.application,
            "currency": currency,
            "description": self.description,
            "type": self.type,
        }


@dataclass(frozen=True)
class Movement:
    """Money to be booked: `amount` in minor units, negative when it leaves; `available_on` is at once by default."""

    type: str
    amount: int
    currency: str
    source: str
    fees: tuple[Fee, ...] = ()
    available_on: int | None = None
    category: str | None = None
    description: str | None = None


def book(call: Call, movement: Movement) -> StripeObject:
    """Write the balance transaction of a movement into the call's account."""
    fee = sum(part.amount for part in movement.fees)
    obj: StripeObject = {
        "id": call.new_id("txn"),
        "object": "balance_transaction",
        "amount": movement.amount,
        "available_on": call.now if movement.available_on is None else movement.available_on,
        "balance_type": "payments",
        "created": call.now,
        "currency": movement.currency,
        "description": movement.description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [part.detail(movement.currency) for part in movement.fees if part.amount],
        "net": movement.amount - fee,
        "reporting_category": movement.category or CATEGORIES.get(movement.type, movement.type),
        "source": movement.source,
        "type": movement.type,
    }
    call.world.ledger.add(call.account, obj)
    if (
        obj["net"] > 0
    ):  # https://docs.stripe.com/api/events/types: not told for negative transactions
        call.later(obj["available_on"], "balance.available", obj["id"])
    return obj


@view("balance_transaction")
def shown(call: Call, obj: StripeObject) -> StripeObject:
    return {**obj, "status": "available" if obj["available_on"] <= call.now else "pending"}


@route("GET", balance_transaction.path, "BalanceTransactionListParams")
def list_(call: Call) -> StripeObject:
    """Those of one payout are known for automatic payouts only."""
    payout = call.params.get("payout")
    if payout is not None and not call.get("payout", payout, param="payout")["automatic"]:
        message = (
            "Balance transaction history can only be filtered on automatic transfers, not manual."
        )
        raise errors.Refused(400, message, param="payout")
    wanted = {
        name: call.params[name] for name in ("currency", "source", "type") if name in call.params
    }

    def keep(obj: StripeObject) -> bool:
        belongs = payout is None or call.world.paid_out.get(obj["id"]) == payout
        return belongs and all(obj[name] == value for name, value in wanted.items())

    return lists.page(call, "balance_transaction", balance_transaction.path, keep)


balance_transaction.retrieve()
