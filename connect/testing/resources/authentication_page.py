"""3-D Secure: the page where the buyer proves to be the card's holder, or fails to."""

from connect.testing import errors, pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.resources import payment_intent
from connect.testing.store import StripeObject

FORM = """<p>Your bank wants to know that it is you who pays {amount} {currency} (minor units).</p>
<form method="post">
<p><button name="action" value="complete">Complete authentication</button>
<button name="action" value="fail">Fail authentication</button></p>
</form>"""
REFUSAL = "We are unable to authenticate your payment method. Please choose a different payment method and try again."


@pages.page("/authenticate/{secret}")
def authenticate(call: Call, names: dict[str, str], method: str) -> Answer:
    """Only the address says whose payment it is: client secrets are unguessable."""
    secret = names["secret"]
    if secret not in call.world.authentications:
        raise errors.Refused(404, "There is nothing to authenticate here.")
    form, call = call.params, call.on(call.world.authentications[secret]).with_params()
    intent = call.get("payment_intent", secret.partition("_secret_")[0])
    if intent["status"] != "requires_action":
        return pages.html("Authentication", "<p>There is nothing left to do here.</p>", 410)
    if method == "GET":
        return pages.html("Authentication", FORM.format_map(intent))
    back = (intent["next_action"].get("redirect_to_url") or {}).get("return_url")
    with call.world.transaction():
        done = settle(call, intent, fail=pages.said(form, "action") == "fail")
    worked = done["status"] in {"succeeded", "requires_capture", "processing"}
    if not back:
        said = "Thank you, it worked." if worked else "It did not work."
        return pages.html("Authentication", f"<p>{said} You may close this page.</p>")
    status = "succeeded" if worked else "failed"
    added = {"payment_intent": intent["id"], "payment_intent_client_secret": secret}
    return pages.redirect(pages.with_query(back, **added, redirect_status=status))


def settle(call: Call, intent: StripeObject, *, fail: bool) -> StripeObject:
    method = call.get("payment_method", intent["payment_method"])
    if not fail:
        return payment_intent.pay(call.with_params(authenticated=True), intent, method)
    error = {
        "code": "payment_intent_authentication_failure",
        "message": REFUSAL,
        "payment_method": method,
        "type": "invalid_request_error",
    }
    changes = {
        "last_payment_error": error,
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    return call.change(intent, changes, "payment_intent.payment_failed")
