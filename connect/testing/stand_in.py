"""The stand-in inside a test's own process: a real server on a thread, and its switches at hand."""

import threading
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from connect.testing.asked import Asked
from connect.testing.call import Call
from connect.testing.clock import Clock
from connect.testing.deliveries import Delivery, Endpoint, Switches
from connect.testing.faults import Fault
from connect.testing.ledger import Funds
from connect.testing.resources import (
    checkout_session,
    connection,
    payment_page,
    payout,
    v2_core_event_destination,
    webhook_endpoint,
)
from connect.testing.resources.onboarding import complete_onboarding
from connect.testing.server import Server
from connect.testing.store import PLATFORM, StripeObject
from connect.testing.world import World

if TYPE_CHECKING:
    import stripe


class StandIn:
    """A stateful stand-in for Stripe over real HTTP, on this machine only, in memory.

        with StandIn() as stand_in:
            addresses = {"api": stand_in.url, "connect": stand_in.url}
            client = stripe.StripeClient(stand_in.api_key, base_addresses=addresses)

    `port` 0 takes any free one; a `seed` makes ids the same every time; `now` freezes the clock at that second.
    """

    api_key = "sk_test_standin"

    def __init__(self, port: int = 0, *, seed: int | None = None, now: int | None = None) -> None:
        self.world = World(seed, now)
        self._server = Server(self.world, port)
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        self.world.deliveries.start()
        serve = self._server.serve_forever
        self._thread = threading.Thread(
            target=serve, args=(0.05,), name="stand-in-stripe", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.world.deliveries.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def clock(self) -> Clock:
        return self.world.clock

    @property
    def platform_account(self) -> str:
        return self.world.platform_account

    @property
    def client_id(self) -> str:
        """The platform's application, which OAuth asks for."""
        return self.world.application

    def client(self, **options: Any) -> "stripe.StripeClient":
        """The real SDK's client, talking to this stand-in."""
        import stripe  # noqa: PLC0415 - half of the start-up time, and not needed to serve

        addresses: Any = {"api": self.url, "connect": self.url}
        options.setdefault("client_id", self.client_id)
        return stripe.StripeClient(self.api_key, base_addresses=addresses, **options)

    def onboard(
        self,
        account: str,
        *,
        leave_due: Collection[str] = (),
        stand: str = "past_due",
        **answers: Any,
    ) -> StripeObject:
        """Complete onboarding as the hosted page does, or leave these requirements, standing as `stand` says.

        `stand` is one of past_due, currently_due, pending_verification, eventually_due, failed and future; `answers`
        are what would be entered: `business_type`, `business_name`, `url`, `mcc`, `bank_account` (a number).
        """
        with self.world.transaction():
            call = Call(self.world)
            return complete_onboarding(
                call, account, leave_due=leave_due, stand=stand, answers=answers
            )

    def deauthorize(self, account: str) -> None:
        """End the connection from the account's side, as its owner may in the dashboard."""
        with self.world.transaction():
            connection.disconnect(Call(self.world), account)

    def pay(
        self,
        session: str,
        *,
        card: str = "visa",
        name: str = "Jenny Rosen",
        email: str = "jenny@example.com",
    ) -> StripeObject:
        """Pay this Checkout Session as a buyer does on its page, with one of Stripe's test cards (`pm_card_…`).

        Raises Refused for a declined card. The browser would be sent on to the session's `success_url`.
        """
        with self.world.transaction():
            call, obj = payment_page.opened(Call(self.world), session)
            buyer = {"name": name, "email": email}
            done = checkout_session.pay(call, obj, f"pm_card_{card}", buyer)
        self.world.run_due_jobs()
        return done

    def pay_out(self, account: str = PLATFORM) -> list[StripeObject]:
        """Pay out all that is available, as Stripe does on the account's schedule: automatic payouts, reconciled."""
        with self.world.transaction():
            return payout.pay_out(Call(self.world, account))

    def event_destination(
        self,
        url: str,
        *,
        events_from: Sequence[str] = ("@self", "@accounts"),
        events: Sequence[str] = ("*",),
        thin: bool = True,
    ) -> StripeObject:
        """Register a destination of v2; the answer has its `signing_secret` under `webhook_endpoint`."""
        params = {
            "enabled_events": list(events),
            "event_payload": "thin" if thin else "snapshot",
            "events_from": list(events_from),
            "include": ["webhook_endpoint.signing_secret", "webhook_endpoint.url"],
            "name": "Test destination",
            "type": "webhook_endpoint",
            "webhook_endpoint": {"url": url},
        }
        with self.world.transaction():
            return v2_core_event_destination.create(Call(self.world, params=params))

    def webhook_endpoint(
        self,
        url: str,
        *,
        connect: bool = False,
        events: Sequence[str] = ("*",),
        secret: str | None = None,
    ) -> StripeObject:
        """Register an endpoint; the answer has its `secret`, which may also be given."""
        params = {"url": url, "connect": connect, "enabled_events": list(events)}
        with self.world.transaction():
            obj = webhook_endpoint.create(Call(self.world, params=params))
        if secret is None:
            return obj
        self.world.deliveries.change(obj["id"], secrets=[secret])
        return {**obj, "secret": secret}

    def roll_secret(self, endpoint: str, *, keep_old: bool = True) -> str:
        """Give the endpoint a new secret; while the old one is kept, deliveries carry two signatures."""
        secret = self.world.ids.new("whsec")
        former = self.world.deliveries.endpoints[endpoint].secrets if keep_old else []
        self.world.deliveries.change(endpoint, secrets=[secret, *former[:1]])
        return secret

    def switch(self, **switches: Any) -> None:
        """Turn on what goes wrong with deliveries: see `Switches` for the names."""
        self.world.deliveries.turn(**switches)

    @property
    def switches(self) -> Switches:
        return self.world.deliveries.switches

    def fault(self, kind: str, **rule: Any) -> None:
        """Have requests fail: see `faults.KINDS` for the kinds, `faults.Fault` for what a rule may say.

        One request by default; `times=None` hits all that match until `clear_faults`.
        """
        self.world.faults.add(Fault(kind, **rule))

    def clear_faults(self) -> None:
        self.world.faults.clear()

    @property
    def faults(self) -> list[Fault]:
        """The rules, with how often each has hit."""
        return self.world.faults.rules

    @property
    def asked(self) -> list[Asked]:
        """The requests that came to the API, oldest first."""
        return list(self.world.asked)

    @property
    def deliveries(self) -> list[Delivery]:
        """The log: one line for each attempt."""
        return list(self.world.deliveries.log)

    @property
    def endpoints(self) -> list[Endpoint]:
        return list(self.world.deliveries.endpoints.values())

    def flush(self, timeout_seconds: float = 30.0) -> bool:
        """Deliver everything now, delays and retries included; returns whether nothing is left."""
        return self.world.deliveries.flush(timeout_seconds)

    def wait_until_delivered(self, timeout_seconds: float = 30.0) -> bool:
        """Wait, at the natural pace of delays and retries, until nothing is left to deliver."""
        return self.world.deliveries.wait_until_delivered(timeout_seconds)

    def redeliver(self, event: str, *, account: str = PLATFORM) -> None:
        """Send an event again to every endpoint that wants it, as the dashboard's "resend" does."""
        with self.world.lock:
            call = Call(self.world, account)
            obj = call.find("v2.core.event", event) or call.get("event", event)
        wanting = [endpoint.id for endpoint in self.endpoints if endpoint.wants(account, obj)]
        self.world.deliveries.redeliver(wanting, obj)

    def emit(self, type_: str, obj: StripeObject, *, account: str = PLATFORM) -> StripeObject:
        """Send an event that nothing here caused: for types the stand-in does not know how to bring about."""
        with self.world.transaction():
            return Call(self.world, account).emit(type_, obj)

    def advance(self, seconds: float) -> None:
        """Move the clock on and let happen what was due: money becomes available, payouts arrive."""
        self.clock.advance(seconds)
        self.world.run_due_jobs()

    def state(self, account: str = PLATFORM) -> dict[str, dict[str, StripeObject]]:
        """Every object of this account, by kind and id."""
        return self.world.state(account)

    def funds(self, account: str = PLATFORM) -> dict[str, Funds]:
        """Available and pending money, by currency."""
        with self.world.lock:
            return self.world.ledger.funds(account)

    def reset(self) -> None:
        """Forget everything but the platform's identity."""
        self.world.reset()
