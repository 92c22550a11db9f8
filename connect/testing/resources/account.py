"""v1 accounts: by `type` or by `controller`. They stand in the platform's list, but each belongs to itself."""

from collections.abc import Collection
from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.events import previous_attributes
from connect.testing.resources import bank_account
from connect.testing.resources.controller import account_type, controller
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

account = Noun("account", "/v1/accounts", "Account")
CURRENCIES = {
    "AU": "aud",
    "CA": "cad",
    "CH": "chf",
    "GB": "gbp",
    "IS": "isk",
    "JP": "jpy",
    "US": "usd",
}
DUE_AT_FIRST = (
    "business_profile.mcc",
    "business_profile.url",
    "business_type",
    "external_account",
    "tos_acceptance.date",
    "tos_acceptance.ip",
)
PROFILE = (
    "annual_revenue",
    "estimated_worker_count",
    "mcc",
    "minority_owned_business_designation",
    "name",
    "product_description",
    "support_email",
    "support_phone",
    "support_url",
    "url",
)
UPDATABLE = ("business_type", "default_currency", "email")


@account.create
def create(call: Call) -> StripeObject:
    params = call.params
    if "type" in params and "controller" in params:
        raise errors.Refused(
            400,
            "You cannot specify both `type` and `controller` when creating an account.",
            param="controller",
        )
    country = params.get("country") or "US"
    id_ = call.new_id("acct")
    capabilities = requested_capabilities(params)
    obj: StripeObject = {
        "id": id_,
        "object": "account",
        "business_profile": business_profile(params.get("business_profile")),
        "business_type": params.get("business_type"),
        "capabilities": capabilities,
        "charges_enabled": False,
        "controller": controller(params),
        "country": country,
        "created": call.now,
        "default_currency": params.get("default_currency") or CURRENCIES.get(country, "eur"),
        "details_submitted": False,
        "email": params.get("email"),
        "external_accounts": lists.sublist(f"/v1/accounts/{id_}/external_accounts", []),
        "future_requirements": requirements([]),
        "metadata": call.metadata(),
        "payouts_enabled": False,
        "requirements": requirements(DUE_AT_FIRST),
        "settings": settings(params.get("settings")),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None}
        | (params.get("tos_acceptance") or {}),
        "type": account_type(params),
    }
    return call.insert(obj)


@route("GET", "/v1/account", "AccountRetrieveCurrentParams")
def retrieve_current(call: Call) -> StripeObject:
    if call.account:
        return find(call, call.account)
    return {
        "id": call.world.platform_account,
        "object": "account",
        "business_profile": business_profile({"name": "The platform"}),
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "platform@example.com",
        "payouts_enabled": True,
        "settings": settings(None),
        "type": "standard",
    }


@route("GET", "/v1/accounts/{id}", "AccountRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    if call.path["id"] == call.world.platform_account:
        return retrieve_current(call)
    return find(call, call.path["id"])


account.list()


@account.update_with
def update(call: Call) -> StripeObject:
    obj, params = find(call, call.path["id"]), call.params
    changes: dict[str, Any] = {name: params[name] for name in UPDATABLE if name in params}
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    for name in ("business_profile", "tos_acceptance"):
        if name in params:
            changes[name] = {**obj[name], **(params[name] or {})}
    if "settings" in params:
        changes["settings"] = merged(obj["settings"], params["settings"] or {})
    capabilities = {**obj["capabilities"], **requested_capabilities(params)}
    changes["capabilities"] = {**capabilities, **obj["capabilities"]}
    return change(call, obj, changes)


@account.delete_with
def delete(call: Call) -> StripeObject:
    obj = find(call, call.path["id"])
    stub = call.on("").delete(obj)
    call.on(obj["id"]).emit("account.application.deauthorized", application(call))
    return stub


def find(call: Call, id_: str) -> StripeObject:
    """The account of this id, for the platform or for itself; the API has refused everyone else by now."""
    return call.on("").get("account", id_)


def change(call: Call, obj: StripeObject, changes: StripeObject) -> StripeObject:
    """Change it and tell its own scope: `account.updated` is a connected account's event."""
    after = call.on("").change(obj, changes)
    differences = previous_attributes(obj, after)
    if differences:
        call.on(obj["id"]).emit("account.updated", after, differences)
    return after


def complete_onboarding(call: Call, id_: str, *, leave_due: Collection[str] = ()) -> StripeObject:
    """What the hosted pages do: everything submitted, a bank account added, capabilities active.

    `leave_due` names requirements that stay due, so that the account comes out restricted.
    """
    obj = find(call, id_)
    listed = obj["external_accounts"]
    if not listed["data"] and "external_account" not in leave_due:
        bank = bank_account.build(call, obj)
        listed = lists.append(listed, call.on(id_).insert(bank, "account.external_account.created"))
    enabled = not leave_due
    capabilities = obj["capabilities"] or {"card_payments": "inactive", "transfers": "inactive"}
    changes = {
        "business_type": obj["business_type"] or "individual",
        "capabilities": dict.fromkeys(capabilities, "active" if enabled else "inactive"),
        "charges_enabled": enabled,
        "details_submitted": True,
        "external_accounts": listed,
        "payouts_enabled": enabled,
        "requirements": requirements(leave_due),
        "tos_acceptance": {"date": call.now, "ip": "127.0.0.1", "user_agent": None},
    }
    return change(call, obj, changes)


def require_capability(call: Call, id_: str, name: str, *, param: str) -> StripeObject:
    """The connected account, if it may do this. Raises Refused for one unknown, or not ready.

    A bare Standard account asks for no capabilities by itself and is taken as it is, as Stripe's own CLI expects.
    """
    obj = None if call.account else call.find("account", id_)
    if obj is None:
        raise errors.resource_missing("destination", id_, param=param, in_path=False)
    if (
        obj["capabilities"].get(name, "active" if obj["type"] == "standard" else "inactive")
        != "active"
    ):
        raise errors.Refused(
            400,
            "Your destination account needs to have at least one of the following capabilities enabled: "
            f"{name}, crypto_transfers, legacy_payments",
            code="insufficient_capabilities_for_transfer",
            param=param,
        )
    return obj


def requested_capabilities(params: dict[str, Any]) -> dict[str, str]:
    wanted = params.get("capabilities") or {}
    return {
        name: "inactive"
        for name, capability in wanted.items()
        if (capability or {}).get("requested")
    }


def requirements(due: Collection[str]) -> StripeObject:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": list(due),
        "disabled_reason": "requirements.past_due" if due else None,
        "errors": [],
        "eventually_due": list(due),
        "past_due": list(due),
        "pending_verification": [],
    }


def business_profile(given: StripeObject | None) -> StripeObject:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        **dict.fromkeys(PROFILE),
        "support_address": address,
        **(given or {}),
    }


def settings(given: StripeObject | None) -> StripeObject:
    descriptor = "statement_descriptor"
    payments = (descriptor, f"{descriptor}_kana", f"{descriptor}_kanji")
    prefixes = (f"{descriptor}_prefix", f"{descriptor}_prefix_kana", f"{descriptor}_prefix_kanji")
    own: StripeObject = {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": dict.fromkeys(("icon", "logo", "primary_color", "secondary_color")),
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            **dict.fromkeys(prefixes),
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": "never"},
        "payments": dict.fromkeys((*payments, *prefixes[1:])),
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            descriptor: None,
        },
        "sepa_debit_payments": {},
    }
    return merged(own, given or {})


def merged(former: StripeObject, given: StripeObject) -> StripeObject:
    """Nested settings merge key by key."""
    result = dict(former)
    for key, value in given.items():
        old = former.get(key)
        result[key] = (
            merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
        )
    return result


def application(call: Call) -> StripeObject:
    """The platform itself, as connected accounts know it: the same for all of them."""
    return {"id": call.world.application, "object": "application", "name": "Stand-in platform"}
