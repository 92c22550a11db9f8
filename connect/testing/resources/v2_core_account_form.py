"""The v2 form of an account, derived from the v1 form and from what only v2 knows, and the thin events of its parts."""

from typing import Any

from connect.testing import thin
from connect.testing.call import Call
from connect.testing.parameters import Field, compiled
from connect.testing.resources.v2_core_requirement import capability, requirements
from connect.testing.store import StripeObject

NOUN = "v2.core.account"
CONFIGURATIONS = ("customer", "merchant", "recipient")
SECTIONS = ("defaults", "future_requirements", "identity", "requirements")
TOP = (
    "applied_configurations",
    "contact_email",
    "contact_phone",
    "dashboard",
    "display_name",
    "metadata",
)
# How v1 names a capability, and where v2 puts it.
RECIPIENT = {"transfers": "stripe_balance.stripe_transfers"}
PAYOUTS = "stripe_balance.payouts"


def follow(platform: Call, before: StripeObject | None, account: StripeObject) -> None:
    """Bring the v2 form up to date; `platform` is in the scope that the account is connected to."""
    former = platform.find(NOUN, account["id"])
    if former is None:
        platform.world.store.put(platform.account, derived(account, blank(platform, account)))
        if before is None:
            platform.emit_thin("v2.core.account.created", related(account["id"]))
        return
    save(platform, former, derived(account, former))


def save(platform: Call, former: StripeObject, after: StripeObject) -> StripeObject:
    """Store it, with an event for each part that changed."""
    if after == former:
        return former
    platform.world.store.put(platform.account, after)
    to = related(after["id"])
    if any(former[name] != after[name] for name in TOP):
        platform.emit_thin("v2.core.account.updated", to)
    for name in SECTIONS:
        if former[name] != after[name]:
            platform.emit_thin(f"v2.core.account[{name}].updated", to)
    for name in CONFIGURATIONS:
        was, now = former["configuration"][name] or {}, after["configuration"][name] or {}
        changed = changed_capabilities(was.get("capabilities") or {}, now.get("capabilities") or {})
        for changed_name in changed:
            type_ = f"v2.core.account[configuration.{name}].capability_status_updated"
            platform.emit_thin(type_, to, data={"updated_capability": changed_name})
        if {**was, "capabilities": None} != {**now, "capabilities": None}:
            platform.emit_thin(f"v2.core.account[configuration.{name}].updated", to)
    return after


def close(platform: Call, id_: str) -> None:
    """A closed account stays known to v2."""
    former = platform.find(NOUN, id_)
    if former is not None and not former["closed"]:
        platform.world.store.put(platform.account, {**former, "closed": True})
        platform.emit_thin("v2.core.account.closed", related(id_))


def related(id_: str) -> StripeObject:
    return {"id": id_, "type": NOUN, "url": f"/v2/core/accounts/{id_}"}


def changed_capabilities(was: StripeObject, now: StripeObject, prefix: str = "") -> list[str]:
    """The dotted names of those whose status differs."""
    found = []
    for name in now:
        old, new = was.get(name), now[name]
        if old == new:
            continue
        if new is not None and "status" not in new:
            found += changed_capabilities(old or {}, new, f"{prefix}{name}.")
        else:
            found.append(prefix + name)
    return found


def blank(platform: Call, account: StripeObject) -> StripeObject:
    return {
        "id": account["id"],
        "object": NOUN,
        "applied_configurations": [],
        "closed": False,
        "configuration": dict.fromkeys(CONFIGURATIONS),
        "contact_email": None,
        "contact_phone": None,
        "created": thin.iso(platform.now),
        "dashboard": None,
        "defaults": {"locales": None},
        "display_name": None,
        "identity": dict.fromkeys(("attestations", "business_details", "individual")),
        "livemode": False,
    }


def derived(account: StripeObject, former: StripeObject) -> StripeObject:
    """The whole v2 form: what v1 says of the account, over what v2 had."""
    applied = applied_configurations(account, former)
    configuration = {
        name: configured(account, name, former["configuration"][name] or {})
        if name in applied
        else None
        for name in CONFIGURATIONS
    }
    controller, profile = account["controller"], account["business_profile"]
    return {
        **former,
        "applied_configurations": applied,
        "configuration": configuration,
        "contact_email": account["email"],
        "dashboard": (controller.get("stripe_dashboard") or {}).get("type", "full"),
        "defaults": {
            **former["defaults"],
            "currency": account["default_currency"],
            "profile": {
                "business_url": profile["url"],
                "doing_business_as": profile["name"],
                "product_description": profile["product_description"],
            },
            "responsibilities": responsibilities(controller),
        },
        "display_name": former["display_name"] or profile["name"],
        "future_requirements": requirements(account, account["future_requirements"]),
        "identity": {
            **former["identity"],
            "country": account["country"].lower(),
            "entity_type": account["business_type"],
        },
        "metadata": account["metadata"],
        "requirements": requirements(account, account["requirements"]),
    }


def responsibilities(controller: StripeObject) -> StripeObject:
    payer = (controller.get("fees") or {}).get("payer", "account")
    return {
        "fees_collector": "stripe" if payer == "account" else payer,
        "losses_collector": (controller.get("losses") or {}).get("payments", "stripe"),
        "requirements_collector": controller.get("requirement_collection", "stripe"),
    }


def applied_configurations(account: StripeObject, former: StripeObject) -> list[str]:
    names = account["capabilities"].keys()
    applied = set(former["applied_configurations"])
    if names - RECIPIENT.keys():
        applied.add("merchant")
    if names & RECIPIENT.keys():
        applied.add("recipient")
    if not applied and account["type"] == "standard":
        applied.add("merchant")
    return sorted(applied)


def configured(account: StripeObject, name: str, former: StripeObject) -> StripeObject:
    """One configuration: each capability null until it is asked for."""
    known = settings(name)
    unsaid = nothing((known.fields or {})["capabilities"])
    own: StripeObject = {
        **dict.fromkeys(known.fields or {}),
        "applied": True,
        "capabilities": unsaid,
        **former,
    }
    capabilities = nested_copy(own["capabilities"])
    wanted = {
        RECIPIENT.get(v1_name, v1_name): status
        for v1_name, status in account["capabilities"].items()
        if name == ("recipient" if v1_name in RECIPIENT else "merchant")
    }
    if wanted and name != "customer":
        wanted[PAYOUTS] = "active" if account["payouts_enabled"] else "inactive"
    for dotted, status in wanted.items():
        *parents, leaf = dotted.split(".")
        place = capabilities
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = capability(account, status)
    mcc = {"mcc": account["business_profile"]["mcc"]} if name == "merchant" else {}
    return {**own, "capabilities": capabilities, **mcc}


def settings(configuration: str) -> Field:
    """What may be said of a configuration, as the SDK's own types say."""
    spec = compiled("v2.core.AccountCreateParams")
    for name in ("configuration", configuration):
        spec = (spec.fields or {})[name]
    return spec


def nothing(spec: Field) -> StripeObject:
    """Each capability null, groups of them (`stripe_balance`) as objects."""
    return {
        name: None if "requested" in (field.fields or {}) else nothing(field)
        for name, field in (spec.fields or {}).items()
    }


def nested_copy(value: Any) -> Any:
    return {k: nested_copy(v) for k, v in value.items()} if isinstance(value, dict) else value
