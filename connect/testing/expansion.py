"""`expand[]`: ids replaced by the objects they name, within the caller's account only."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.routing import VIEWS
from connect.testing.store import StripeObject

DEPTH_MAX = 4
# Objects whose ids a caller may choose say what they are by the field that holds them, the others by their prefix.
BY_FIELD = {"product": "product", "coupon": "coupon", "plan": "plan"}
BY_PREFIX = {
    "acct": "account",
    "ba": "bank_account",
    "bpc": "billing_portal.configuration",
    "card": "card",
    "cbtxn": "customer_balance_transaction",
    "ch": "charge",
    "clock": "test_helpers.test_clock",
    "cn": "credit_note",
    "cus": "customer",
    "di": "discount",
    "dp": "dispute",
    "fee": "application_fee",
    "fr": "fee_refund",
    "ii": "invoiceitem",
    "in": "invoice",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "plink": "payment_link",
    "pm": "payment_method",
    "po": "payout",
    "price": "price",
    "prod": "product",
    "promo": "promotion_code",
    "py": "charge",
    "pyr": "refund",
    "qt": "quote",
    "re": "refund",
    "seti": "setup_intent",
    "si": "subscription_item",
    "sub": "subscription",
    "tr": "transfer",
    "trr": "transfer_reversal",
    "txn": "balance_transaction",
    "txr": "tax_rate",
}
# Fields that a create or retrieve answers only when asked: (object, field) → the objects that name it, and how.
LISTED_ON_DEMAND = {
    ("charge", "refunds"): ("refund", "charge"),
    ("invoice", "payments"): ("invoice_payment", "invoice"),
}


def rendered(call: Call, answer: StripeObject) -> StripeObject:
    """The answer as it is sent: computed fields filled in, then what `expand` asks for."""
    shown = view(call, answer)
    for path in call.params.get("expand") or []:
        segments = path.split(".")
        depth = len(segments) - (segments[0] == "data")
        if depth > DEPTH_MAX:
            raise errors.Refused(
                400,
                f"You cannot expand more than {DEPTH_MAX} levels of a property. Property: {path}",
                code="property_expansion_max_depth",
                param="expand",
            )
        expand(call, shown, segments, path)
    return shown


def view(call: Call, obj: StripeObject) -> StripeObject:
    """A copy of its own at every level that expansion may write to; stored objects stay as they are."""
    if obj.get("object") == "list":
        return {**obj, "data": [view(call, row) for row in obj["data"]]}
    function = VIEWS.get(obj.get("object", ""))
    return dict(function(call, obj) if function else obj)


def expand(call: Call, obj: StripeObject, segments: list[str], path: str) -> None:
    name, *rest = segments
    if name == "data" and obj.get("object") == "list":
        for row in obj["data"]:
            expand(call, row, rest, path)
        return
    on_demand = LISTED_ON_DEMAND.get((obj.get("object", ""), name))
    if on_demand:
        noun, field = on_demand
        rows = [view(call, row) for row in call.newest_first(noun) if row.get(field) == obj["id"]]
        url = f"/v1/{obj['object']}s/{obj['id']}/{name}"
        obj[name] = {"object": "list", "data": rows[:10], "has_more": len(rows) > 10, "url": url}
    if name not in obj or not isinstance(obj[name], str | dict | list | None):
        raise errors.Refused(400, f"This property cannot be expanded ({path}).", param="expand")
    obj[name] = expanded(call, name, obj[name])
    if rest:
        for child in obj[name] if isinstance(obj[name], list) else [obj[name]]:
            if isinstance(child, dict):
                expand(call, child, rest, path)


def expanded(call: Call, name: str, value: object) -> object:
    if isinstance(value, list):
        return [expanded(call, name, item) for item in value]
    if isinstance(value, dict):
        return view(call, value)
    if not isinstance(value, str):
        return value
    noun = BY_FIELD.get(name) or BY_PREFIX.get(value.split("_", 1)[0])
    found = call.find(noun, value) if noun else None
    return value if found is None else view(call, found)
