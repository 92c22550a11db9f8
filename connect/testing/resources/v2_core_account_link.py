"""v2 account links, to the same hosted page as v1's."""

from connect.testing import errors, thin, v2_lists
from connect.testing.call import Call
from connect.testing.resources.account_link import VALID_SECONDS, make
from connect.testing.resources.v2_core_account_form import NOUN
from connect.testing.routing import route
from connect.testing.store import StripeObject


@route("POST", "/v2/core/account_links", "v2.core.AccountLinkCreateParams")
def create(call: Call) -> StripeObject:
    id_, use_case = call.params["account"], call.params["use_case"]
    account = v2_lists.find(call, NOUN, id_)
    kind = use_case["type"]
    details = use_case.get(kind)
    if not details:
        raise errors.parameter_missing(f"use_case[{kind}]")
    link = {
        **details,
        "configurations": account["applied_configurations"],
        "type": kind,
        "use_case": kind,
    }
    return {
        "object": "v2.core.account_link",
        "account": id_,
        "created": thin.iso(call.now),
        "expires_at": thin.iso(call.now + VALID_SECONDS),
        "livemode": False,
        "url": make(call, id_, link),
        "use_case": use_case,
    }
