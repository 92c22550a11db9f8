"""Account links: single use, five minutes, leading to the hosted onboarding page."""

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources.account import find
from connect.testing.routing import route
from connect.testing.store import StripeObject

VALID_SECONDS = 300


@route("POST", "/v1/account_links", "AccountLinkCreateParams")
def create(call: Call) -> StripeObject:
    """The link has no id; the page finds what it needs by the last part of the address."""
    id_ = call.params["account"]
    if call.account not in {"", id_} or call.on("").find("account", id_) is None:
        raise errors.resource_missing("account", id_, param="account", in_path=False)
    account = find(call, id_)
    if (
        call.params["type"] == "account_update"
        and account["controller"]["requirement_collection"] == "stripe"
    ):
        raise errors.Refused(
            400,
            "You cannot create `account_update` type Account Links for this account: Stripe collects its "
            "requirements. You may only create `account_onboarding` type Account Links.",
            param="type",
        )
    token = call.world.ids.characters(12)
    link = {
        "object": "account_link",
        "created": call.now,
        "expires_at": call.now + VALID_SECONDS,
        "url": f"{call.base_url}/setup/c/{id_}/{token}",
    }
    call.after(
        lambda: call.world.links.update({token: {**call.params, "expires_at": link["expires_at"]}})
    )
    return link
