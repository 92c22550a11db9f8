"""One request to the stand-in (or one thing it does by itself), in the context of one account."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from connect.testing import errors, events, thin
from connect.testing.ledger import Funds
from connect.testing.store import PLATFORM, StripeObject

if TYPE_CHECKING:
    from connect.testing.world import World


@dataclass(frozen=True)
class Call:
    """What a route's function gets. Everything it reads or writes here belongs to `account` and to no other.

    Where Stripe itself moves something between accounts (fees, transfers), the function says so with `on(account)`.
    """

    world: "World"
    account: str = PLATFORM
    params: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None
    base_url: str = ""
    # The time of a customer with a test clock; everyone else has the stand-in's.
    at_unix: int | None = None

    @property
    def now(self) -> int:
        return self.world.clock.now() if self.at_unix is None else self.at_unix

    @property
    def account_id(self) -> str:
        """The account's own id, also for the platform."""
        return self.account or self.world.platform_account

    def on(self, account: str) -> "Call":
        return replace(self, account="" if account == self.world.platform_account else account)

    def with_params(self, **params: Any) -> "Call":
        """The same call with other parameters, for what one object does by means of another."""
        return replace(self, params=params)

    def new_id(self, prefix: str) -> str:
        return self.world.ids.new(prefix)

    def find(self, noun: str, id_: str) -> StripeObject | None:
        return self.world.store.find(self.account, noun, id_)

    def get(self, noun: str, id_: str, *, param: str | None = None) -> StripeObject:
        """The object, or Stripe's refusal: a 404 if the URL named it, a 400 if the parameter `param` did."""
        obj = self.find(noun, id_)
        if obj is None:
            raise errors.resource_missing(noun, id_, param=param or "id", in_path=param is None)
        return obj

    def newest_first(self, noun: str) -> Iterator[StripeObject]:
        return self.world.store.newest_first(self.account, noun)

    def insert(self, obj: StripeObject, *event_types: str) -> StripeObject:
        self.world.store.put(self.account, obj)
        for type_ in event_types:
            self.emit(type_, obj)
        return obj

    def change(
        self, obj: StripeObject, changes: StripeObject, *event_types: str, previous: bool = False
    ) -> StripeObject:
        """Replace the object by a changed one, with its events.

        `*.updated` events are sent only if something differs and say what did; others only if `previous` asks for it.
        """
        before = self.get(obj["object"], obj["id"])
        after = {**before, **changes}
        differences = events.previous_attributes(before, after)
        self.world.store.put(self.account, after)
        for type_ in event_types:
            says = previous or type_.endswith(".updated")
            if differences or not says:
                self.emit(type_, after, differences if says else None)
        return after

    def delete(self, obj: StripeObject, *event_types: str) -> StripeObject:
        """Delete it. The event carries the full last object, the answer a stub."""
        self.world.store.delete(self.account, obj)
        for type_ in event_types:
            self.emit(type_, obj)
        return {"id": obj["id"], "object": obj["object"], "deleted": True}

    def emit(
        self, type_: str, obj: StripeObject, previous: StripeObject | None = None
    ) -> StripeObject:
        event = events.snapshot(
            type_,
            obj,
            account=self.account or None,
            previous_attributes=previous,
            id=self.new_id("evt"),
            created=self.world.event_second(),
            request={"id": self.request_id, "idempotency_key": self.idempotency_key},
        )
        self.world.store.put(self.account, event)
        self.world.outgoing.append((self.account, event))
        twin = f"v1.{type_}"
        if thin.relation(twin) is not None:
            self.emit_thin(twin, thin.related(twin, obj, self.account), snapshot_event=event["id"])
        return event

    def emit_thin(
        self,
        type_: str,
        related: StripeObject | None,
        *,
        data: StripeObject | None = None,
        snapshot_event: str | None = None,
        to: str | None = None,
    ) -> StripeObject:
        """Send an event that names its object (`related`) and does not carry it; `to` one endpoint, if it says so."""
        event = thin.build(
            type_,
            related,
            data=data,
            snapshot_event=snapshot_event,
            id=self.new_id("evt_test"),
            account=self.account,
            created=self.world.event_second(),
            request_id=self.request_id,
            idempotency_key=self.idempotency_key,
        )
        self.world.store.put(self.account, event)
        if to is None:
            self.world.outgoing.append((self.account, event))
        else:
            self.after(lambda: self.world.deliveries.redeliver([to], event))
        return event

    def funds(self, currency: str) -> Funds:
        return self.world.ledger.currency(self.account, currency)

    def later(self, at_unix: int, job: str, id_: str) -> None:
        """Have the job of this name done for this object when the clock gets there."""
        self.world.schedule(at_unix, job, self.account, id_)

    def after(self, function: Callable[[], object]) -> None:
        """Do this once the request has succeeded: for what is not kept in the store."""
        self.world.after_commit.append(function)

    def metadata(self, former: StripeObject | None = None) -> StripeObject:
        """Metadata merges: keys passed empty are removed, passing it empty as a whole removes all."""
        given = self.params.get("metadata", {})
        if given is None:
            return {}
        merged = {**(former or {}).get("metadata", {}), **given}
        return {key: value for key, value in merged.items() if value != ""}
