"""Payouts: on their way at once, paid when the clock gets there, and, to some bank accounts, failed after that."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import bank_account, external_account
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
    if positive(params["amount"]) > call.funds(code).available:
        raise errors.balance_insufficient(INSUFFICIENT)
    return send(call, params["amount"], code, automatic=False)


def send(call: Call, amount: int, code: str, *, automatic: bool) -> StripeObject:
    params = call.params
    bank = destination(call, code)
    id_ = call.new_id("po")
    method = params.get("method", "standard")
    arrives = call.now + (INSTANT_SECONDS if method == "instant" else 2 * DAY_SECONDS)
    booked = book(call, Movement("payout", -amount, code, id_, description="STRIPE PAYOUT"))
    obj: StripeObject = {
        "id": id_,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": arrives,
        "automatic": automatic,
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
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": params.get("source_type", "card"),
        "statement_descriptor": params.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": bank["object"],
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
    if bank.get("status") == "errored":
        message = "The bank account provided cannot be used for payouts. A different bank account must be used."
        raise errors.Refused(400, message, code="bank_account_unusable")
    return bank


def pay_out(call: Call) -> list[StripeObject]:
    """What Stripe does by itself on the account's schedule: all that is available, in one payout a currency.

    The stand-in does it when told to, lest balances change while a test lets time pass.
    """
    made = []
    for code, funds in sorted(call.world.ledger.funds(call.account).items()):
        if funds.available <= 0:
            continue
        held = available(call, code)
        obj = send(call, funds.available, code, automatic=True)
        composition = dict.fromkeys([*held, obj["balance_transaction"]], obj["id"])
        call.world.paid_out.update(composition)
        made.append(
            call.change(
                obj,
                {"reconciliation_status": "completed"},
                "payout.reconciliation_completed",
            )
        )
    return made


def available(call: Call, code: str) -> list[str]:
    """The balance transactions that no automatic payout carried yet."""
    return [
        row["id"]
        for row in call.newest_first("balance_transaction")
        if row["currency"] == code
        and row["available_on"] <= call.now
        and row["id"] not in call.world.paid_out
    ]


@job("payout.arrive", "payout")
def arrive(call: Call, obj: StripeObject) -> None:
    """`paid` means expected to have arrived. A bank that refuses says so a day later."""
    if obj["status"] not in {"pending", "in_transit"}:
        return
    trace = {"status": "supported", "value": call.world.ids.characters(12, "0123456789")}
    call.change(obj, {"status": "paid", "trace_id": trace}, "payout.paid")
    bank = call.find(obj["type"], obj["destination"])
    if bank is not None and bank["last4"] in external_account.FAILURES:
        call.later(call.now + DAY_SECONDS, "payout.fail", obj["id"])


@job("payout.fail", "payout")
def fail(call: Call, obj: StripeObject) -> None:
    """The money comes back, and nothing more is sent to this bank account until it is corrected."""
    bank = call.find(obj["type"], obj["destination"])
    last4 = bank["last4"] if bank is not None else bank_account.NUMBER_FAILING[-4:]
    code, message, _ = external_account.FAILURES.get(last4, external_account.FAILURES["1116"])
    booked = book(call, Movement("payout_failure", obj["amount"], obj["currency"], obj["id"]))
    changes = {
        "failure_balance_transaction": booked["id"],
        "failure_code": code,
        "failure_message": message,
        "status": "failed",
    }
    call.change(obj, changes, "payout.failed")
    if bank is not None:
        external_account.fail(call, bank)


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


@payout.action("reverse")
def reverse(call: Call) -> StripeObject:
    """Get back what was paid out: a payout the other way round, each naming the other."""
    obj = call.get("payout", call.path["id"])
    if obj["status"] != "paid" or obj["reversed_by"] or obj["original_payout"]:
        message = f"Payout {obj['id']} cannot be reversed: only a paid payout can, and once."
        raise errors.Refused(400, message)
    back = send(call.with_params(), -obj["amount"], obj["currency"], automatic=False)
    call.change(obj, {"reversed_by": back["id"]}, "payout.updated")
    changes: StripeObject = {"metadata": call.metadata(), "original_payout": obj["id"]}
    return call.change(back, changes)


payout.retrieve()
payout.list("destination", "status")
payout.update(event="payout.updated")
