"""Coupons. Their ids may be chosen, so two accounts may well have the same one."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

coupon = Noun("coupon", "/v1/coupons", "Coupon")
FIELDS = (
    "amount_off",
    "currency",
    "duration_in_months",
    "max_redemptions",
    "name",
    "percent_off",
    "redeem_by",
)


@coupon.create
def create(call: Call) -> StripeObject:
    params = call.params
    if (params.get("amount_off") is None) == (params.get("percent_off") is None):
        raise errors.Refused(
            400, "Coupons need one of percent_off and amount_off.", code="parameter_missing"
        )
    id_ = params.get("id") or call.world.ids.characters(8)
    refuse_taken(call, "coupon", id_)
    obj: StripeObject = {
        "id": id_,
        "object": "coupon",
        **{name: params.get(name) for name in FIELDS},
        "created": call.now,
        "duration": params.get("duration", "once"),
        "livemode": False,
        "metadata": call.metadata(),
        "times_redeemed": 0,
        "valid": True,
    }
    return call.insert(obj, "coupon.created")


def refuse_taken(call: Call, noun: str, id_: str) -> None:
    if call.find(noun, id_) is not None:
        raise errors.Refused(
            400, f"{noun.capitalize()} already exists.", code="resource_already_exists", param="id"
        )


coupon.retrieve()
coupon.list()
coupon.update("name", event="coupon.updated")
coupon.delete(event="coupon.deleted")
