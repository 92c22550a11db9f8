"""Testing aids: a stand-in for Stripe that does Connect, signed events, and what keeps a test honest.

`python -m connect.testing --port 12111` serves the stand-in to any language. Nothing here needs Django.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from connect.testing.deliveries import Delivery, Switches
    from connect.testing.events import event
    from connect.testing.faults import Fault
    from connect.testing.isolation import Leak, assert_isolated, plant
    from connect.testing.signatures import sign
    from connect.testing.stand_in import StandIn

__all__ = [
    "Delivery",
    "Fault",
    "Leak",
    "StandIn",
    "Switches",
    "assert_isolated",
    "event",
    "plant",
    "sign",
]

_HOMES: Final = {
    "Delivery": "connect.testing.deliveries",
    "Fault": "connect.testing.faults",
    "Leak": "connect.testing.isolation",
    "StandIn": "connect.testing.stand_in",
    "Switches": "connect.testing.deliveries",
    "assert_isolated": "connect.testing.isolation",
    "event": "connect.testing.events",
    "plant": "connect.testing.isolation",
    "sign": "connect.testing.signatures",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the pytest plugin is imported by every test run, also by those that use nothing of it.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
