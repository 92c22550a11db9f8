"""The customer portal: its configurations and sessions. Its page only says whose it is."""

from html import escape

from connect.testing import pages
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.routing import Noun, route
from connect.testing.store import PLATFORM, StripeObject

CONFIGURATION = "billing_portal.configuration"
SESSION = "billing_portal.session"
configuration = Noun(
    CONFIGURATION, "/v1/billing_portal/configurations", "billing_portal.Configuration"
)
FEATURES: dict[str, StripeObject] = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": False},
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {"enabled": False, "options": []},
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}
PROFILE = ("headline", "privacy_policy_url", "terms_of_service_url")


@configuration.create
def create(call: Call) -> StripeObject:
    params = call.params
    return call.insert(build(call, params, is_default=False), f"{CONFIGURATION}.created")


def build(call: Call, params: StripeObject, *, is_default: bool) -> StripeObject:
    given = params.get("features") or {}
    return {
        "id": call.new_id("bpc"),
        "object": CONFIGURATION,
        "active": True,
        "application": call.world.application if call.account else None,
        "business_profile": dict.fromkeys(PROFILE) | (params.get("business_profile") or {}),
        "created": call.now,
        "default_return_url": params.get("default_return_url"),
        "features": {name: own | (given.get(name) or {}) for name, own in FEATURES.items()},
        "is_default": is_default,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": call.metadata() if "features" in params else {},
        "name": params.get("name"),
        "updated": call.now,
    }


def changed(call: Call) -> StripeObject:
    obj, params = call.get(CONFIGURATION, call.path["id"]), call.params
    profile = obj["business_profile"] | (params.get("business_profile") or {})
    given = params.get("features") or {}
    features = {name: own | (given.get(name) or {}) for name, own in obj["features"].items()}
    return {"business_profile": profile, "features": features, "updated": call.now}


@route("POST", "/v1/billing_portal/sessions", "billing_portal.SessionCreateParams")
def open_session(call: Call) -> StripeObject:
    customer = call.get("customer", call.params.get("customer", ""), param="customer")["id"]
    named = call.params.get("configuration")
    used = call.get(CONFIGURATION, named, param="configuration") if named else default(call)
    key = f"test_{call.world.ids.characters(40)}"
    obj: StripeObject = {
        "id": call.new_id("bps"),
        "object": SESSION,
        "configuration": used["id"],
        "created": call.now,
        "customer": customer,
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": call.params.get("locale"),
        "on_behalf_of": call.params.get("on_behalf_of"),
        "return_url": call.params.get("return_url") or used["default_return_url"],
        "url": f"{call.base_url}/p/session/{key}",
    }
    known = {"portal": (call.account, obj["id"])}
    call.after(lambda: call.world.links.update({key: known}))
    return call.insert(obj, f"{SESSION}.created")


def default(call: Call) -> StripeObject:
    for row in call.newest_first(CONFIGURATION):
        if row["is_default"]:
            return row
    return call.insert(build(call, {}, is_default=True))


@pages.page("/p/session/{key}")
def visit(call: Call, names: dict[str, str], _: str) -> Answer:
    account, id_ = (call.world.links.get(names["key"]) or {}).get("portal", (PLATFORM, ""))
    session = call.on(account).find(SESSION, id_)
    if session is None:
        return pages.html("Not found", "<p>There is no such portal session.</p>", 404)
    back = session["return_url"]
    link = f'<p><a href="{escape(back)}">Back</a></p>' if back else ""
    return pages.html("Customer portal", f"<p>Of {escape(session['customer'])}.</p>{link}")


configuration.retrieve()
configuration.list("active", "is_default")
configuration.update(
    "active", "default_return_url", "name", event=f"{CONFIGURATION}.updated", also=changed
)
