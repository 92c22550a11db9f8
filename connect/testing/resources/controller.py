"""Who controls an account: what `type` abbreviates and `controller` spells out."""

from typing import Any

from connect.testing.store import StripeObject

# dashboard, losses, who collects requirements, who pays Stripe's fees. `type=` leaves payers of its own.
CONTROLLERS = {
    "standard": ("full", "stripe", "stripe", "account"),
    "express": ("express", "application", "stripe", "application_express"),
    "custom": ("none", "application", "application", "application_custom"),
}


def controller(params: dict[str, Any]) -> StripeObject:
    given = params.get("controller") or {}
    dashboard, losses, collection, payer = CONTROLLERS[params.get("type") or "standard"]
    return {
        "type": "application",
        "is_controller": True,
        "fees": {"payer": (given.get("fees") or {}).get("payer", payer)},
        "losses": {"payments": (given.get("losses") or {}).get("payments", losses)},
        "requirement_collection": given.get("requirement_collection", collection),
        "stripe_dashboard": {"type": (given.get("stripe_dashboard") or {}).get("type", dashboard)},
    }


def account_type(params: dict[str, Any]) -> str:
    """`none` is what Stripe says of a controller that is none of the three."""
    if "controller" not in params:
        return str(params.get("type") or "standard")
    c = controller(params)
    payer = c["fees"]["payer"]
    have = (
        c["stripe_dashboard"]["type"],
        c["losses"]["payments"],
        c["requirement_collection"],
        payer,
    )
    by_rights = {
        (*rights[:3], rights[3].partition("_")[0]): name for name, rights in CONTROLLERS.items()
    }
    return by_rights.get(have, "none")
