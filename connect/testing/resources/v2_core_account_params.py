"""What a v2 request says of an account, in v1's words, and what of it only v2 knows."""

from datetime import datetime
from typing import Any

from connect.testing import errors
from connect.testing.resources.account_settings import merged
from connect.testing.resources.v2_core_account_form import CONFIGURATIONS, RECIPIENT
from connect.testing.resources.v2_core_person_form import NAMES
from connect.testing.store import StripeObject

V1_NAMES = {v2_name: v1_name for v1_name, v2_name in RECIPIENT.items()}
ACTIVE = {"status": "active", "status_details": []}


def at(params: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for segment in path.split("."):
        params = params.get(segment) if isinstance(params, dict) else None
    return params


def v1_params(params: dict[str, Any]) -> dict[str, Any]:
    """Only what the request says: nothing here means nothing to change."""
    found: dict[str, Any] = {
        "business_type": at(params, "identity.entity_type"),
        "default_currency": at(params, "defaults.currency"),
        "email": params.get("contact_email"),
        "individual": v1_person(at(params, "identity.individual")),
        "metadata": params.get("metadata"),
        "tos_acceptance": acceptance(at(params, "identity.attestations.terms_of_service.account")),
    }
    profile = {
        "mcc": at(params, "configuration.merchant.mcc"),
        "name": at(params, "defaults.profile.doing_business_as") or params.get("display_name"),
        "product_description": at(params, "defaults.profile.product_description"),
        "url": at(params, "defaults.profile.business_url"),
    }
    found["business_profile"] = {name: value for name, value in profile.items() if value}
    registered = at(params, "identity.business_details.registered_name")
    found["company"] = {"name": registered} if registered else None
    found["capabilities"] = {
        name: {"requested": wanted} for name, wanted in requested_capabilities(params).items()
    }
    return {name: value for name, value in found.items() if value not in (None, {})}


def requested_capabilities(params: dict[str, Any]) -> dict[str, bool]:
    """By v1's name; `stripe_balance.payouts` comes by itself and has none."""
    found: dict[str, bool] = {}
    for configuration in ("merchant", "recipient"):
        asked = at(params, f"configuration.{configuration}.capabilities") or {}
        for dotted, wanted in leaves(asked):
            found[V1_NAMES.get(dotted, dotted)] = wanted
    return found


def leaves(asked: StripeObject, prefix: str = "") -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for name, value in asked.items():
        if isinstance(value, dict) and "requested" in value:
            found.append((prefix + name, bool(value["requested"])))
        elif isinstance(value, dict):
            found += leaves(value, f"{prefix}{name}.")
    return found


def controller_params(params: dict[str, Any]) -> dict[str, Any]:
    """Who is responsible. Whoever bears the losses takes the fees."""
    losses = at(params, "defaults.responsibilities.losses_collector") or "stripe"
    fees = at(params, "defaults.responsibilities.fees_collector") or "stripe"
    dashboard = params.get("dashboard") or "full"
    if losses == "application" and fees == "stripe":
        message = (
            "When the application collects losses, it must collect fees as well: set "
            "defaults.responsibilities.fees_collector to application."
        )
        raise errors.Refused(400, message, param="defaults.responsibilities.fees_collector")
    own = dashboard == "none" and losses == "application"
    return {
        "fees": {"payer": "account" if fees == "stripe" else fees},
        "losses": {"payments": losses},
        "requirement_collection": "application" if own else "stripe",
        "stripe_dashboard": {"type": dashboard},
    }


def v1_person(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    found = {NAMES[name]: value for name, value in given.items() if name in NAMES}
    if given.get("id_numbers"):
        found["id_number"] = "provided"
    return found


def acceptance(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    try:
        date = int(datetime.fromisoformat(str(given["date"])).timestamp())
    except (ValueError, OverflowError, KeyError) as error:
        param = "identity.attestations.terms_of_service.account.date"
        raise errors.Refused(400, "Invalid timestamp", param=param) from error
    return {"date": date, "ip": given.get("ip"), "user_agent": given.get("user_agent")}


def v2_only(params: dict[str, Any], former: StripeObject) -> StripeObject:
    """The v2 form with what v1 has no place for."""
    after = {**former}
    for name in ("contact_phone", "display_name"):
        if name in params:
            after[name] = params[name]
    if params.get("defaults"):
        kept = {name: value for name, value in params["defaults"].items() if name == "locales"}
        after["defaults"] = {**former["defaults"], **kept}
    if params.get("identity"):
        after["identity"] = merged(former["identity"], identity(params["identity"], former))
    asked = params.get("configuration") or {}
    applied = set(former["applied_configurations"])
    configuration = dict(former["configuration"])
    for name in CONFIGURATIONS:
        if asked.get(name) is None:
            continue
        (applied.add if asked[name].get("applied", True) else applied.discard)(name)
        configuration[name] = configured(name, asked[name], configuration[name] or {})
    return {
        **after,
        "applied_configurations": sorted(applied),
        "configuration": configuration,
    }


def configured(name: str, asked: StripeObject, former: StripeObject) -> StripeObject:
    given = {key: value for key, value in asked.items() if key not in {"applied", "capabilities"}}
    own = {"applied": True, **merged(former, given)}
    if name == "customer":
        wanted = {
            key: ACTIVE if on else None for key, on in leaves(asked.get("capabilities") or {})
        }
        former_ones = own.get("capabilities") or {"automatic_indirect_tax": None}
        own["capabilities"] = {**former_ones, **wanted}
    return own


def identity(given: StripeObject, former: StripeObject) -> StripeObject:
    """Numbers are taken and never told again; an individual is a person, of this account."""
    shown = {name: given[name] for name in ("attestations", "business_details") if given.get(name)}
    if "business_details" in shown:
        shown["business_details"] = without_numbers(shown["business_details"])
    if given.get("individual"):
        shown["individual"] = {
            "account": former["id"],
            "created": former["created"],
            "object": "v2.core.account_person",
            "updated": former["created"],
            **without_numbers(given["individual"]),
        }
    return shown


def without_numbers(given: StripeObject) -> StripeObject:
    if "id_numbers" not in given:
        return given
    return {**given, "id_numbers": [{"type": row.get("type")} for row in given["id_numbers"] or []]}
