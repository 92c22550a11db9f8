"""v2 events: the thin ones, 30 days back, of the account that asks."""

from datetime import datetime
from operator import ge, gt, le, lt

from connect.testing import errors, thin, v2_lists
from connect.testing.call import Call
from connect.testing.deliveries import matches
from connect.testing.routing import route
from connect.testing.store import StripeObject

KEPT_SECONDS = 30 * 24 * 3600
COMPARISONS = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


@route("GET", "/v2/core/events", "v2.core.EventListParams")
def list_(call: Call) -> StripeObject:
    types = call.params.get("types") or ["*"]
    about = call.params.get("object_id")
    bounds = [
        (COMPARISONS[name], moment(text)) for name, text in call.params.get("created", {}).items()
    ]
    oldest = moment(thin.iso(call.now - KEPT_SECONDS))

    def keep(obj: StripeObject) -> bool:
        created = moment(obj["created"])
        return (
            created > oldest
            and all(compare(created, bound) for compare, bound in bounds)
            and any(matches(obj["type"], wanted) for wanted in types)
            and about in {None, (obj["related_object"] or {}).get("id")}
        )

    return v2_lists.page(call, thin.OBJECT, "/v2/core/events", keep)


@route("GET", "/v2/core/events/{id}", "v2.core.EventRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    obj = v2_lists.find(call, thin.OBJECT, call.path["id"])
    if moment(obj["created"]) <= moment(thin.iso(call.now - KEPT_SECONDS)):
        raise errors.Refused(404, f"No such event: '{obj['id']}'", code="not_found")
    return obj


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.Refused(400, f"Invalid timestamp: {text}", param="created") from error
    if found.tzinfo is None:
        raise errors.Refused(400, f"A timestamp needs its zone: {text}", param="created")
    return found
