"""Tax rates."""

from connect.testing.call import Call
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

tax_rate = Noun("tax_rate", "/v1/tax_rates", "TaxRate")
FIELDS = ("country", "description", "jurisdiction", "state", "tax_type")


@tax_rate.create
def create(call: Call) -> StripeObject:
    obj: StripeObject = {
        "id": call.new_id("txr"),
        "object": "tax_rate",
        **{name: call.params.get(name) for name in FIELDS},
        "active": call.params.get("active", True),
        "created": call.now,
        "display_name": call.params["display_name"],
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": call.params["inclusive"],
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": call.metadata(),
        "percentage": call.params["percentage"],
        "rate_type": "percentage",
    }
    return call.insert(obj, "tax_rate.created")


tax_rate.retrieve()
tax_rate.list("active", "inclusive")
tax_rate.update("active", "display_name", *FIELDS, event="tax_rate.updated")
