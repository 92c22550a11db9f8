"""Where a buyer pays a Checkout Session: the local page, and the undocumented API that Stripe's own CLI uses for it."""

from html import escape

from connect.testing import errors, pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.resources import checkout_session
from connect.testing.resources.payment_method import CARDS
from connect.testing.routing import route
from connect.testing.store import StripeObject

FORM = """<p>{amount}</p>
{complaint}
<form method="post">
  <p><label>E-mail<br><input name="email" type="email" value="{email}"></label></p>
  <p><label>Name<br><input name="name" value="Jenny Rosen"></label></p>
  <p><label>Test card<br><select name="payment_method">{cards}</select></label></p>
  <p><button>Pay</button> {cancel}</p>
</form>"""


@pages.page("/c/pay/{session}")
def pay(call: Call, names: dict[str, str], method: str) -> Answer:
    call, session = opened(call, names["session"])
    if session["status"] != "open":
        return pages.html(
            "Payment page", f"<p>This session is {escape(session['status'])}.</p>", 410
        )
    if method == "GET":
        return form(session)
    buyer = {name: str(call.params.get(name, "")) or None for name in ("email", "name")}
    card = str(call.params.get("payment_method", "pm_card_visa"))
    try:
        with call.world.transaction():
            checkout_session.pay(call.with_params(), session, card, buyer)
    except errors.Refused as refused:
        return form(session, str(refused))
    target = (session["success_url"] or call.base_url).replace(
        "{CHECKOUT_SESSION_ID}", session["id"]
    )
    return pages.redirect(target)


def opened(call: Call, id_: str) -> tuple[Call, StripeObject]:
    """The session with its own account's call. Only the address says whose it is: ids of sessions are unguessable."""
    known = call.world.sessions.get(id_)
    if known is None:
        raise errors.resource_missing("checkout.session", id_)
    call = call.on(known.account)
    return call, call.get("checkout.session", id_)


def form(session: StripeObject, complaint: str = "") -> Answer:
    cards = "".join(f'<option value="pm_card_{name}">{name}</option>' for name in CARDS)
    cancel = (
        f'<a href="{escape(session["cancel_url"])}">Cancel</a>' if session["cancel_url"] else ""
    )
    body = FORM.format(
        amount=escape(f"{session['amount_total']} {session['currency']} (minor units)"),
        cards=cards,
        cancel=cancel,
        complaint=f"<p><strong>{escape(complaint)}</strong></p>" if complaint else "",
        email=escape(session["customer_email"] or "jenny@example.com"),
    )
    return pages.html("Payment page", body, 402 if complaint else 200)


@route("GET", "/v1/payment_pages/{session}", None)
def retrieve(call: Call) -> StripeObject:
    session = call.get("checkout.session", call.path["session"])
    return {
        "id": f"ppage_{session['id']}",
        "object": "checkout.session",
        "session_id": session["id"],
    }


@route("POST", "/v1/payment_pages/{session}/confirm", None)
def confirm(call: Call) -> StripeObject:
    session = call.get("checkout.session", call.path["session"])
    method = call.get(
        "payment_method", call.params.get("payment_method", ""), param="payment_method"
    )
    return checkout_session.pay(
        call.with_params(), session, method["id"], method["billing_details"]
    )
