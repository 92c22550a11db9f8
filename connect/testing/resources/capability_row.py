"""The capability objects of an account, which follow the account's own map of them."""

from connect.testing.call import Call
from connect.testing.events import previous_attributes
from connect.testing.resources.requirement import requirements
from connect.testing.store import StripeObject


def follow(own: Call, before: StripeObject | None, after: StripeObject) -> None:
    """`own` is in the account's scope. A capability says so when it changes; being asked for at birth is no change."""
    names = [*after["capabilities"], *((before or after)["capabilities"])]
    for name in dict.fromkeys(names):
        former = own.find("capability", name)
        row = built(own, after, name, former)
        if row == former:
            continue
        own.world.store.put(own.account, row)
        if former is not None:
            own.emit("capability.updated", row, previous_attributes(former, row))
        elif before is not None:
            own.emit("capability.updated", row, {"requested": False, "status": "unrequested"})


def built(own: Call, account: StripeObject, name: str, former: StripeObject | None) -> StripeObject:
    requested = name in account["capabilities"]
    since = former["requested_at"] if former is not None and former["requested"] else own.now
    return {
        "id": name,
        "object": "capability",
        "account": account["id"],
        "future_requirements": account["future_requirements"],
        "requested": requested,
        "requested_at": since if requested else None,
        "requirements": account["requirements"] if requested else requirements(),
        "status": account["capabilities"].get(name, "unrequested"),
    }
