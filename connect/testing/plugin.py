"""The pytest plugin: a stand-in Stripe for each test, merchants on it, and its events at your webhook endpoints.

It is loaded by every test run of whoever has this package installed, so it imports nothing until a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from connect.testing.django_endpoints import Deliver, Webhook
    from connect.testing.merchants import Merchants
    from connect.testing.stand_in import StandIn


@pytest.fixture(scope="session")
def stripe_server() -> Iterator[StandIn]:
    """One stand-in for the whole run. Use `stripe`, which is empty at the beginning of every test."""
    from connect.testing.stand_in import StandIn  # noqa: PLC0415 - see the module

    with StandIn() as running:
        yield running


@pytest.fixture
def stripe(stripe_server: StandIn) -> Iterator[StandIn]:
    """A stand-in for Stripe, empty, and where the test has Django, its settings point there."""
    from connect.testing.django_endpoints import pointed_at  # noqa: PLC0415 - see the module

    stripe_server.reset()
    stripe_server.clock.reset()
    with ExitStack() as stack:
        stack.enter_context(pointed_at(stripe_server))
        yield stripe_server
        # No delivery may arrive in the next test.
        stripe_server.reset()


@pytest.fixture
def merchants(stripe: StandIn) -> Merchants:
    """Two onboarded connected accounts, by their ids; `merchants.another()` is one more."""
    from connect.testing.merchants import Merchants  # noqa: PLC0415 - see the module

    return Merchants.onboarded(stripe, 2)


@pytest.fixture
def deliver(stripe: StandIn) -> Deliver:
    """Hands the events that happened to your webhook endpoints, signed: `deliver()`, after what causes them."""
    from connect.testing.django_endpoints import Deliver  # noqa: PLC0415 - see the module

    return Deliver(stripe)


@pytest.fixture
def webhook(stripe: StandIn) -> Webhook:
    """Posts an event of your own making, signed: `webhook("charge.succeeded", {...}, account="acct_…")`."""
    from connect.testing.django_endpoints import Webhook  # noqa: PLC0415 - see the module

    return Webhook(stripe)
