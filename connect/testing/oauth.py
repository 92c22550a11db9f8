"""OAuth's two endpoints for servers. Their errors are those of OAuth, not of the API: `error` is a string."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from connect.testing import api, errors
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.parameters import decode_form
from connect.testing.resources import connection
from connect.testing.store import StripeObject
from connect.testing.world import World

if TYPE_CHECKING:
    from connect.testing.api import Request

REVOKED = "revoked"


class OAuthRefused(Exception):
    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


def answer(world: World, request: "Request") -> Answer:
    request_id = world.ids.new("req")
    headers = (("Request-Id", request_id),)
    try:
        form = decode_form(request.body)
        secret = form.get("client_secret")
        header = f"Bearer {secret}" if isinstance(secret, str) else None
        api.api_key(request.headers.get("Authorization") or header)
        with world.transaction():
            body = ENDPOINTS[request.path](Call(world, request_id=request_id), form)
    except errors.Refused as refused:
        return Answer(refused.status, orjson.dumps(refused.body), headers)
    except OAuthRefused as refused:
        return Answer(refused.status, orjson.dumps(refused.body), headers)
    return Answer(200, orjson.dumps(body), headers)


def token(call: Call, form: dict[str, Any]) -> StripeObject:
    grants = {"authorization_code": by_code, "refresh_token": by_refresh_token}
    grant = str(form.get("grant_type", ""))
    if not grant:
        raise OAuthRefused("invalid_request", "No grant type specified")
    if grant not in grants:
        raise OAuthRefused("unsupported_grant_type", f"unsupported grant type: {grant}")
    return grants[grant](call, form)


def by_code(call: Call, form: dict[str, Any]) -> StripeObject:
    """A code is good for one exchange; a second one revokes what the first one gave."""
    code = str(form.get("code", ""))
    known = call.world.codes.get(code)
    if known is None:
        raise OAuthRefused("invalid_grant", f"Authorization code does not exist: {code}")
    if known["used"]:
        for access_token in known["tokens"]:
            call.world.access_tokens[access_token] = REVOKED
        raise OAuthRefused(
            "invalid_grant",
            "This authorization code has already been used. All tokens issued with this code have been revoked.",
        )
    if known["expires_at"] <= call.now:
        raise OAuthRefused("invalid_grant", f"Authorization code expired: {code}")
    account = connection.connect(call, known["account"])["id"]
    known["used"] = True
    issued = issue(call, account, known["scope"], call.new_id("rt"))
    known["tokens"].append(issued["access_token"])
    return issued


def by_refresh_token(call: Call, form: dict[str, Any]) -> StripeObject:
    refresh_token = str(form.get("refresh_token", ""))
    account = call.world.refresh_tokens.get(refresh_token, "")
    if not call.world.may_access(account):
        raise OAuthRefused("invalid_grant", f"Refresh token does not exist: {refresh_token}")
    return issue(call, account, str(form.get("scope") or "read_only"), refresh_token)


def issue(call: Call, account: str, scope: str, refresh_token: str) -> StripeObject:
    characters = call.world.ids.characters
    access_token = f"sk_test_{characters(32)}"
    call.world.access_tokens[access_token] = account
    call.world.refresh_tokens[refresh_token] = account
    return {
        "access_token": access_token,
        "livemode": False,
        "refresh_token": refresh_token,
        "token_type": "bearer",
        "stripe_publishable_key": f"pk_test_{characters(32)}",
        "stripe_user_id": account,
        "scope": scope,
    }


def deauthorize(call: Call, form: dict[str, Any]) -> StripeObject:
    client, account = str(form.get("client_id", "")), str(form.get("stripe_user_id", ""))
    if client != call.world.application:
        raise OAuthRefused("invalid_client", f"No such application: '{client}'", 401)
    row = call.find("account", account)
    if row is None:
        message = f"This application is not connected to stripe account {account}, or that account does not exist."
        raise OAuthRefused("invalid_client", message, 401)
    if (row["controller"].get("stripe_dashboard") or {}).get("type") == "none":
        message = "This account has no dashboard of its own to be left with: delete it instead."
        raise OAuthRefused("invalid_request", message)
    connection.disconnect(call, account)
    return {"stripe_user_id": account}


ENDPOINTS: dict[str, Callable[[Call, dict[str, Any]], StripeObject]] = {
    "/oauth/deauthorize": deauthorize,
    "/oauth/token": token,
}
