"""Whether an account is connected to the platform: by OAuth, until one of them ends it, and again after that."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import account, v2_core_account_form
from connect.testing.resources.account_change import insert
from connect.testing.resources.requirement import requirements
from connect.testing.store import StripeObject

# Where accounts are kept that exist at Stripe and are not connected: in no account's sight.
DISCONNECTED = "disconnected"


def connect(call: Call, id_: str) -> StripeObject:
    """Connect the account, whose id and objects are those it had. Sends `account.application.authorized`."""
    platform = call.on("")
    row = platform.find("account", id_)
    if row is None:
        row = call.on(DISCONNECTED).get("account", id_)
        call.world.store.delete(DISCONNECTED, row)
        row = insert(platform, {**row, "created": call.now})
    call.on(id_).emit("account.application.authorized", account.application(call))
    return row


def disconnect(call: Call, id_: str) -> None:
    """End the connection. The account keeps its objects; the platform is refused from now on."""
    platform = call.on("")
    row = platform.get("account", id_)
    call.world.store.put(DISCONNECTED, row)
    platform.delete(row)
    second = platform.find(v2_core_account_form.NOUN, id_)
    if second is not None:
        platform.delete(second)
    call.on(id_).emit("account.application.deauthorized", account.application(call))


def independent(call: Call, *, email: str, name: str, country: str) -> StripeObject:
    """A business with a Stripe account of its own, complete, and not connected yet."""
    profile = {"name": name, "mcc": "5999", "url": "https://example.com"}
    wanted = {"card_payments": {"requested": True}, "transfers": {"requested": True}}
    params = {"email": email, "country": country, "business_profile": profile}
    row = account.build(call.with_params(**params, capabilities=wanted))
    del row["external_accounts"]  # shown to the controlling platform only
    row |= {
        "business_type": "company",
        "controller": {"type": "account"},
        "details_submitted": True,
        "requirements": requirements(),
    }
    call.world.store.put(DISCONNECTED, row)
    return row


def known(call: Call) -> list[StripeObject]:
    """Accounts that have a login of their own and may be connected, or are."""
    connected = [row for row in call.on("").newest_first("account") if row["type"] == "standard"]
    return [*call.on(DISCONNECTED).newest_first("account"), *connected]


def find_known(call: Call, id_: str) -> StripeObject:
    found = next((row for row in known(call) if row["id"] == id_), None)
    if found is None:
        raise errors.Refused(400, f"There is no account {id_} to connect.")
    return found
