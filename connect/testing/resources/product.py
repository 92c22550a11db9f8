"""Products. Their ids may be chosen."""

from connect.testing.call import Call
from connect.testing.resources import price
from connect.testing.resources.coupon import refuse_taken
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

product = Noun("product", "/v1/products", "Product")
OPTIONAL = (
    "description",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)
FIELDS = ("name", "active", "images", "marketing_features", *OPTIONAL)


@product.create
def create(call: Call) -> StripeObject:
    params = call.params
    id_ = params.get("id") or call.new_id("prod")
    refuse_taken(call, "product", id_)
    obj: StripeObject = {
        "id": id_,
        "object": "product",
        "active": params.get("active", True),
        "created": call.now,
        "default_price": None,
        "images": params.get("images") or [],
        "livemode": False,
        "marketing_features": params.get("marketing_features") or [],
        "metadata": call.metadata(),
        "name": params["name"],
        "type": params.get("type", "service"),
        "updated": call.now,
        **{name: params.get(name) for name in OPTIONAL},
    }
    call.insert(obj, "product.created")
    if "default_price_data" not in params:
        return obj
    made = price.build(call, {**params["default_price_data"], "product": id_})
    return call.change(
        obj, {"default_price": call.insert(made, "price.created")["id"]}, "product.updated"
    )


def touched(call: Call) -> StripeObject:
    return {"updated": call.now}


product.retrieve()
product.list("active")
product.update(*FIELDS, "default_price", event="product.updated", also=touched)
product.delete(event="product.deleted")
