"""OAuth's consent page: a business lets the platform in, or does not."""

import re
from html import escape
from typing import Any

from connect.testing import errors, pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.resources import connection
from connect.testing.resources.account_settings import CURRENCIES
from connect.testing.store import StripeObject

CODE_SECONDS = 300
KEPT = ("client_id", "redirect_uri", "response_type", "scope", "state")
SCOPES = {"read_only": "read the data of", "read_write": "act for"}
FORM = """<p>The platform asks to {may} your account.</p>
{complaint}
<form method="post">
{hidden}
<fieldset><legend>Which account?</legend>{account}</fieldset>
<fieldset><legend>For a new account</legend>{name}{email}{country}</fieldset>
<p><button name="action" value="connect">Connect my account</button>
<button name="action" value="deny">Deny</button></p>
</form>"""
NEW = "new"


@pages.page("/oauth/authorize")
def authorize(call: Call, _: dict[str, str], method: str) -> Answer:
    asked = {name: given(call.params, name) for name in KEPT}
    check(call, asked)
    if method == "GET":
        return page(call, asked)
    back, state = asked["redirect_uri"], {"state": asked["state"]} if asked["state"] else {}
    if pages.said(call.params, "action") != "connect":
        denied = {
            "error": "access_denied",
            "error_description": "The user denied your request",
        }
        return pages.redirect(pages.with_query(back, **denied, **state))
    scope = asked["scope"] or "read_only"
    try:
        with call.world.transaction():
            account = chosen(call)
    except errors.Refused as refused:
        return page(call, asked, str(refused))
    code = call.new_id("ac")
    call.world.codes[code] = {
        "account": account["id"],
        "expires_at": call.now + CODE_SECONDS,
        "scope": scope,
        "tokens": [],
        "used": False,
    }
    return pages.redirect(pages.with_query(back, scope=scope, code=code, **state))


@pages.page("/express/oauth/authorize")
def authorize_express(call: Call, names: dict[str, str], method: str) -> Answer:
    return authorize(call, names, method)


def given(form: dict[str, Any], name: str) -> str:
    """Exactly as it was sent: `state` and `redirect_uri` come back unchanged."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def check(call: Call, asked: dict[str, str]) -> None:
    """Raises Refused; nothing is sent to an address that another application may have chosen."""
    if asked["client_id"] != call.world.application:
        raise errors.Refused(400, "No application matches the supplied client identifier")
    if not re.fullmatch(r"https?://[^\s/?#]+[\x21-\x7e]*", asked["redirect_uri"]):
        raise errors.Refused(400, "Invalid redirect URI: say where to return to.")
    if asked["response_type"] != "code":
        raise errors.Refused(400, "The only response_type is code.")
    if asked["scope"] not in {"", *SCOPES}:
        raise errors.Refused(400, "The scope is read_only or read_write.")


def chosen(call: Call) -> StripeObject:
    id_ = pages.said(call.params, "account", NEW)
    if id_ != NEW:
        return connection.find_known(call, id_)
    country = pages.said(call.params, "country", "US")
    if country not in CURRENCIES:
        raise errors.Refused(400, "Choose a country of the list.")
    return connection.independent(
        call,
        country=country,
        email=pages.said(call.params, "email") or "owner@example.com",
        name=pages.said(call.params, "name") or "A shop of its own",
    )


def page(call: Call, asked: dict[str, str], complaint: str = "") -> Answer:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in asked.items()
        if value
    )
    accounts = {NEW: "A new account"} | {
        row["id"]: f"{row['business_profile']['name'] or row['email'] or row['id']} ({row['id']})"
        for row in connection.known(call)
    }
    user = call.params.get("stripe_user")
    prefilled = user if isinstance(user, dict) else {}
    body = FORM.format(
        account=pages.choice("Account", "account", accounts),
        complaint=pages.alert(complaint),
        country=pages.choice(
            "Country", "country", {code: code for code in sorted(CURRENCIES)}, "US"
        ),
        email=pages.field(
            "E-mail", "email", pages.said(prefilled, "email", "owner@example.com"), type="email"
        ),
        hidden=hidden,
        may=SCOPES[asked["scope"] or "read_only"],
        name=pages.field(
            "Name", "name", pages.said(prefilled, "business_name", "A shop of its own")
        ),
    )
    return pages.html("Connect with the platform", body, 400 if complaint else 200)
