"""Login links: into the Express dashboard, once."""

from html import escape

from connect.testing import errors, pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.resources.account_change import find
from connect.testing.routing import route
from connect.testing.store import StripeObject


@route("POST", "/v1/accounts/{account}/login_links", "AccountLoginLinkCreateParams")
def create(call: Call) -> StripeObject:
    account = find(call, call.path["account"])
    id_ = account["id"]
    if (account["controller"].get("stripe_dashboard") or {}).get("type") != "express":
        message = (
            f"Cannot create an edit link for the account {id_}, which does not have access to the Express "
            "Dashboard."
        )
        raise errors.Refused(400, message)
    if not account["details_submitted"]:
        message = "Cannot create a login link for an account that has not completed onboarding."
        raise errors.Refused(400, message)
    token = call.world.ids.characters(12)
    call.after(lambda: call.world.links.update({token: {"login": id_}}))
    return {
        "object": "login_link",
        "created": call.now,
        "url": f"{call.base_url}/express/{id_}/{token}",
    }


@pages.page("/express/acct_{account}/{token}")
def dashboard(call: Call, names: dict[str, str], method: str) -> Answer:
    link = call.world.links.get(names["token"], {})
    id_ = f"acct_{names['account']}"
    account = call.find("account", id_)
    if link.get("login") != id_ or account is None or method != "GET":
        return pages.html("Express dashboard", "<p>This login link is no longer valid.</p>", 410)
    del call.world.links[names["token"]]
    funds = call.world.ledger.funds(account["id"])
    money = "".join(
        f"<tr><th scope=row>{escape(currency)}<td>{purse.available}<td>{purse.pending}"
        for currency, purse in sorted(funds.items())
    )
    payouts = "".join(
        f"<tr><th scope=row>{escape(row['id'])}<td>{row['amount']} {escape(row['currency'])}"
        f"<td>{escape(row['status'])}"
        for row in call.on(account["id"]).newest_first("payout")
    )
    name = account["business_profile"]["name"] or account["email"] or account["id"]
    body = (
        f"<p>Signed in as {escape(str(name))}. Amounts are in minor units.</p>"
        "<table><caption>Balance</caption><thead><tr><th scope=col>Currency<th scope=col>Available"
        f"<th scope=col>Pending</thead><tbody>{money}</tbody></table>"
        "<table><caption>Payouts</caption><thead><tr><th scope=col>Payout<th scope=col>Amount"
        f"<th scope=col>Status</thead><tbody>{payouts}</tbody></table>"
    )
    return pages.html("Express dashboard", body)
