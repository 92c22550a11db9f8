"""Testing aids: a stand-in for Stripe that does Connect, signed events, and what keeps a test honest.

`python -m connect.testing --port 12111` serves the stand-in to any language. Nothing here needs Django.
"""

from connect.testing.deliveries import Delivery, Switches
from connect.testing.events import event
from connect.testing.signatures import sign
from connect.testing.stand_in import StandIn

__all__ = ["Delivery", "StandIn", "Switches", "event", "sign"]
