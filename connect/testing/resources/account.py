"""v1 accounts: by `type` or by `controller`. They stand in the platform's list, but each belongs to itself."""

import re
from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import external_account, person, requirement
from connect.testing.resources.account_change import change, find, insert, platform_of
from connect.testing.resources.account_settings import (
    business_profile,
    default_currency,
    merged,
    settings,
)
from connect.testing.resources.controller import account_type, controller
from connect.testing.resources.v2_core_account_form import close
from connect.testing.routing import Noun, route
from connect.testing.store import StripeObject

account = Noun("account", "/v1/accounts", "Account")
UPDATABLE = ("business_type", "default_currency", "email")
# Of the company, numbers are taken and never told again.
NEVER_SHOWN = ("registration_number", "tax_id", "vat_id")


@account.create
def create(call: Call) -> StripeObject:
    params = call.params
    if "type" in params and "controller" in params:
        raise errors.Refused(
            400,
            "You cannot specify both `type` and `controller` when creating an account.",
            param="controller",
        )
    return provide(call, insert(call, build(call)))


def build(call: Call) -> StripeObject:
    params = call.params
    country = checked_country(params.get("country") or "US")
    id_ = call.new_id("acct")
    obj: StripeObject = {
        "id": id_,
        "object": "account",
        "business_profile": business_profile(params.get("business_profile")),
        "business_type": params.get("business_type"),
        "capabilities": requested_capabilities(params),
        "charges_enabled": False,
        "controller": controller(params),
        "country": country,
        "created": call.now,
        "default_currency": params.get("default_currency") or default_currency(country),
        "details_submitted": False,
        "email": params.get("email"),
        "external_accounts": lists.sublist(f"/v1/accounts/{id_}/external_accounts", []),
        "future_requirements": requirement.requirements(),
        "metadata": call.metadata(),
        "payouts_enabled": False,
        "settings": settings(params.get("settings")),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None}
        | (params.get("tos_acceptance") or {}),
        "type": account_type(params),
    }
    if params.get("company"):
        obj["company"] = company(params["company"])
    return {**obj, "requirements": requirement.requirements(requirement.missing(obj))}


def checked_country(country: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", country):
        raise errors.Refused(400, f"Country '{country}' is unknown.", param="country")
    return country.upper()


def company(given: StripeObject, former: StripeObject | None = None) -> StripeObject:
    shown = {name: value for name, value in given.items() if name not in NEVER_SHOWN}
    provided = {f"{name}_provided": True for name in NEVER_SHOWN[1:] if given.get(name)}
    return merged(former or {"name": None, "tax_id_provided": False}, shown | provided)


def provide(call: Call, obj: StripeObject) -> StripeObject:
    """What a request about an account says of other objects: its bank account, the person it is."""
    if call.params.get("external_account"):
        external_account.add(call, obj, call.params["external_account"], replacing=True)
    if call.params.get("individual"):
        person.describe_individual(call, find(call, obj["id"]), call.params["individual"])
    return find(call, obj["id"])


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
    if params.get("company"):
        changes["company"] = company(params["company"], obj.get("company"))
    withdrawn = withdrawn_capabilities(params)
    capabilities = {**requested_capabilities(params), **obj["capabilities"]}
    changes["capabilities"] = {k: v for k, v in capabilities.items() if k not in withdrawn}
    return provide(call, change(call, obj, changes))


@account.delete_with
def delete(call: Call) -> StripeObject:
    obj = find(call, call.path["id"])
    platform = platform_of(call, obj["id"])
    close(platform, obj["id"])
    stub = platform.delete(obj)
    call.on(obj["id"]).emit("account.application.deauthorized", application(call))
    return stub


@account.action("reject")
def reject(call: Call) -> StripeObject:
    """Only where the platform is liable. The events are those of any account that becomes disabled."""
    obj = find(call, call.path["id"])
    reason = call.params["reason"]
    if obj["controller"].get("losses", {}).get("payments") != "application":
        raise errors.Refused(
            400,
            "You cannot reject this account: Stripe, not the platform, is liable for its losses.",
        )
    kind = "fraud" if reason.startswith("fraud") else reason
    kind = "other" if kind == "credit" else kind
    told = f"{requirement.REJECTED}platform_{kind}"
    rejected = {**obj["requirements"], "disabled_reason": told}
    return change(call, obj, {"requirements": rejected})


@account.action("unreject")
def unreject(call: Call) -> StripeObject:
    obj = find(call, call.path["id"])
    if not str(obj["requirements"]["disabled_reason"]).startswith(requirement.REJECTED):
        raise errors.Refused(400, "This account is not rejected.")
    hash_ = requirement.explained({**obj["requirements"], "disabled_reason": None})
    return change(call, obj, {"requirements": hash_})


def require_capability(call: Call, id_: str, name: str, *, param: str) -> StripeObject:
    """The connected account, if it may do this. Raises Refused for one unknown, or not ready.

    A bare Standard account asks for no capabilities by itself and is taken as it is, as Stripe's own CLI expects.
    """
    obj = call.find("account", id_)
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


def withdrawn_capabilities(params: dict[str, Any]) -> set[str]:
    wanted = params.get("capabilities") or {}
    return {name for name, asked in wanted.items() if (asked or {}).get("requested") is False}


def application(call: Call) -> StripeObject:
    """The platform itself, as connected accounts know it: the same for all of them."""
    return {"id": call.world.application, "object": "application", "name": "Stand-in platform"}
