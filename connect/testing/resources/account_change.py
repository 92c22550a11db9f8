"""The one door by which accounts change, with all that follows: capabilities, the v2 form, and the events of each."""

from connect.testing.call import Call
from connect.testing.events import previous_attributes
from connect.testing.resources import capability_row, v2_core_account_form
from connect.testing.resources.requirement import overdue, settled, verified
from connect.testing.routing import job
from connect.testing.store import StripeObject

# Stripe's checks take from minutes to days; here a day of the stand-in's clock.
VERIFICATION_SECONDS = 24 * 3600


def find(call: Call, id_: str) -> StripeObject:
    """The account of this id, for the platform or for itself; the API has refused everyone else by now."""
    return platform_of(call, id_).get("account", id_)


def platform_of(call: Call, id_: str) -> Call:
    """The scope that the account is connected to: the platform, or a connected account that is a platform itself."""
    return call if call.find("account", id_) else call.on("")


def insert(call: Call, obj: StripeObject) -> StripeObject:
    """A new account. v1 has no event for it, v2 has, for accounts of both versions."""
    obj = call.insert(settled(None, obj))
    capability_row.follow(call.on(obj["id"]), None, obj)
    v2_core_account_form.follow(call, None, obj)
    return obj


def change(call: Call, obj: StripeObject, changes: StripeObject) -> StripeObject:
    """Change it and tell its own scope: `account.updated` is a connected account's event."""
    platform = platform_of(call, obj["id"])
    before = platform.get("account", obj["id"])
    after = platform.change(before, settled(before, {**before, **changes}))
    differences = previous_attributes(before, after)
    if differences:
        call.on(obj["id"]).emit("account.updated", after, differences)
    capability_row.follow(call.on(obj["id"]), before, after)
    v2_core_account_form.follow(platform, before, after)
    expect(platform, after)
    return after


def expect(platform: Call, account: StripeObject) -> None:
    """Have done by the clock what is due then."""
    deadline = account["requirements"]["current_deadline"]
    if deadline is not None:
        platform.later(deadline, "account.deadline", account["id"])
    if account["requirements"]["pending_verification"]:
        platform.later(platform.now + VERIFICATION_SECONDS, "account.verify", account["id"])


@job("account.deadline", "account")
def miss_deadline(call: Call, obj: StripeObject) -> None:
    deadline = obj["requirements"]["current_deadline"]
    if deadline is not None and deadline <= call.now:
        change(call, obj, {"requirements": overdue(obj["requirements"])})


@job("account.verify", "account")
def verify(call: Call, obj: StripeObject) -> None:
    if obj["requirements"]["pending_verification"]:
        change(call, obj, {"requirements": verified(obj["requirements"])})
