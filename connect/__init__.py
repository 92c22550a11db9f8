"""Whose account: the context every call runs in, and the webhooks that tell what happened there."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from connect.calls import client
    from connect.context import account, current_account
    from connect.router import on
    from django_stripe.event import Event
    from django_stripe.platform import PLATFORM, NoAccount

__all__ = ["PLATFORM", "Event", "NoAccount", "account", "client", "current_account", "on"]

_HOMES: Final = {
    "PLATFORM": "django_stripe.platform",
    "NoAccount": "django_stripe.platform",
    "Event": "django_stripe.event",
    "account": "connect.context",
    "current_account": "connect.context",
    "client": "connect.calls",
    "on": "connect.router",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: `connect.testing` starts without Django, and settings may import this package.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
