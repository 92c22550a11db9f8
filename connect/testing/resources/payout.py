"""Payouts: on their way at once, paid when the clock gets there, and, to some bank accounts, failed after that."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import bank_account
from connect.testing.resources.balance_transaction import Movement, book
from connect.testing.resources.price import currency
from connect.testing.resources.transfer import positive
from connect.testing.routing import Noun, job
from connect.testing.store import StripeObject

payout = Noun("payout", "/v1/payouts", "Payout")
DAY_SECONDS = 24 * 3600
INSTANT_SECONDS = 30 * 60
INSUFFICIENT = (
    "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low. You can "
    "use the /v1/balance endpoint to view your Stripe balance (for more details, see stripe.com/docs/api#balance)."
)


@payout.create
def create(call: Call) -> StripeObject:
    params = call.params
    code = currency(params["currency"])
    bank = destination(call, code)
    if positive(params["amount"]) > call.funds(code).available:
        raise errors.balance_insufficient(INSUFFICIENT)
    id_ = call.new_id("po")
    method = params.get("method", "standard")
    arrives = call.now + (INSTANT_SECONDS if method == "instant" else 2 * DAY_SECONDS)
    booked = book(
        call, Movement("payout", -params["amount"], code, id_, description="STRIPE PAYOUT")
    )
    obj: StripeObject = {
        "id": id_,
        "object": "payout",
        "amount": params["amount"],
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": arrives,
        "automatic": False,
        "balance_transaction": booked["id"],
        "created": call.now,
        "currency": code,
        "description": params.get("description") or "STRIPE PAYOUT",
        "destination": bank["id"],
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": call.metadata(),
        "method": method,
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "not_applicable",
        "reversed_by": None,
        "source_type": params.get("source_type", "card"),
        "statement_descriptor": params.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    call.later(arrives, "payout.arrive", id_)
    return call.insert(obj, "payout.created")


def destination(call: Call, code: str) -> StripeObject:
    """The account's bank account for this currency. The platform has one by nature."""
    bank = bank_account.default_for(call, code)
    if bank is None and not call.account:
        platform = {"id": call.world.platform_account, "country": "US", "default_currency": code}
        return call.insert(bank_account.build(call, platform))
    if bank is None:
        message = f"Sorry, you don't have any external accounts in that currency ({code})"
        raise errors.Refused(400, message, code="payouts_not_allowed")
    return bank


@job("payout.arrive", "payout")
def arrive(call: Call, obj: StripeObject) -> None:
    """`paid` means expected to have arrived. A bank that refuses says so a day later."""
    if obj["status"] not in {"pending", "in_transit"}:
        return
    trace = {"status": "supported", "value": call.world.ids.characters(12, "0123456789")}
    call.change(obj, {"status": "paid", "trace_id": trace}, "payout.paid")
    bank = call.find("bank_account", obj["destination"])
    if bank is not None and bank["last4"] == bank_account.NUMBER_FAILING[-4:]:
        call.later(call.now + DAY_SECONDS, "payout.fail", obj["id"])


@job("payout.fail", "payout")
def fail(call: Call, obj: StripeObject) -> None:
    """The money comes back."""
    booked = book(call, Movement("payout_failure", obj["amount"], obj["currency"], obj["id"]))
    changes = {
        "failure_balance_transaction": booked["id"],
        "failure_code": "no_account",
        "failure_message": "An account with that number does not exist at that bank.",
        "status": "failed",
    }
    call.change(obj, changes, "payout.failed")


@payout.action("cancel")
def cancel(call: Call) -> StripeObject:
    obj = call.get("payout", call.path["id"])
    if obj["status"] != "pending":
        raise errors.Refused(
            400, f"Payout {obj['id']} is {obj['status']}; only pending payouts can be canceled."
        )
    booked = book(call, Movement("payout_cancel", obj["amount"], obj["currency"], obj["id"]))
    changes = {"failure_balance_transaction": booked["id"], "status": "canceled"}
    return call.change(obj, changes, "payout.canceled")


payout.retrieve()
payout.list("destination", "status")
payout.update(event="payout.updated")
