"""Top-ups: the platform's own money into its balance."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources.balance_transaction import Movement, book
from connect.testing.resources.price import currency
from connect.testing.resources.transfer import positive
from connect.testing.routing import Noun, job
from connect.testing.store import StripeObject

topup = Noun("topup", "/v1/topups", "Topup")


@topup.create
def create(call: Call) -> StripeObject:
    id_ = call.new_id("tu")
    obj: StripeObject = {
        "id": id_,
        "object": "topup",
        "amount": positive(call.params["amount"]),
        "balance_transaction": None,
        "created": call.now,
        "currency": currency(call.params["currency"]),
        "description": call.params.get("description"),
        "expected_availability_date": call.now,
        "failure_code": None,
        "failure_message": None,
        "initiated_by": None,
        "livemode": False,
        "metadata": call.metadata(),
        "source": None,
        "statement_descriptor": call.params.get("statement_descriptor"),
        "status": "pending",
        "transfer_group": call.params.get("transfer_group"),
    }
    call.later(call.now, "topup.arrive", id_)
    return call.insert(obj, "topup.created")


@job("topup.arrive", "topup")
def arrive(call: Call, obj: StripeObject) -> None:
    if obj["status"] == "pending":
        booked = book(call, Movement("topup", obj["amount"], obj["currency"], obj["id"]))
        changes = {"balance_transaction": booked["id"], "status": "succeeded"}
        call.change(obj, changes, "topup.succeeded")


@topup.action("cancel")
def cancel(call: Call) -> StripeObject:
    obj = call.get("topup", call.path["id"])
    if obj["status"] != "pending":
        raise errors.Refused(400, f"Top-up {obj['id']} is {obj['status']}; it cannot be canceled.")
    return call.change(obj, {"status": "canceled"}, "topup.canceled")


topup.retrieve()
topup.list("status")
topup.update("description", event="topup.updated")
