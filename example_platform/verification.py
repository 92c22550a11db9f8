"""Owns the comparison of the shop's database with what the stand-in holds: nothing lost, nothing wrong, nothing leaked.

Whose an object is, and whom it names, is told by the stand-in's own store and by a search through the JSON: the
columns and querysets that are judged have no part in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, QuerySet

import connect
from connect import PLATFORM
from connect.models import InboxEvent
from django_stripe.common.models import AbstractStripeModel
from django_stripe.platform import account_of
from django_stripe.registry import models_by_object
from example_platform.places import has_places, rows_everywhere
from example_platform.shop.models import Takings
from example_platform.stand_in import State
from tenants.conf import isolation


class Place(NamedTuple):
    """Where an object is: its kind, the account it lives in ("" is the platform), its id."""

    kind: str
    account: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} of {self.account or 'the platform'}"


@dataclass(frozen=True)
class Truth:
    """What the stand-in holds of the objects that are installed."""

    accounts: list[str]
    """The connected ones."""
    living: dict[Place, Mapping[str, Any]]
    ever: dict[Place, Mapping[str, Any]]
    """The living, and those that were deleted as their last event shows them."""
    events: set[tuple[str, str]]
    """(account, id)"""

    @classmethod
    def of(cls, state: State) -> Truth:
        """Sort `state`, to which the platform's own account belongs as well, by place."""
        own = connect.client(account=PLATFORM).v1.accounts.retrieve_current()
        living: dict[Place, Mapping[str, Any]] = {Place("account", "", own.id): own.to_dict()}
        told: dict[Place, Mapping[str, Any]] = {}
        events = set()
        for account, kinds in state.items():
            for event in kinds.get("event", {}).values():
                events.add((account, event["id"]))
                value = event["data"]["object"]
                if value["object"] in models_by_object():
                    told[Place(value["object"], account, value["id"])] = value
            for kind in models_by_object().keys() & kinds.keys():
                for id_, value in kinds[kind].items():
                    living[Place(kind, account, id_)] = value
        return cls([account for account in state if account], living, told | living, events)

    def belongs(self, place: Place, merchant: str) -> bool:
        """Say whether `merchant` would call what is at `place` theirs: it is in their account, or names them."""
        if place.account == merchant:
            return True
        return bool(merchant) and place.account == "" and _names(self.ever.get(place), merchant)


def mismatches(truth: Truth) -> Iterator[str]:
    """Compare every row with the object at its place; deleted objects are to be tombstones."""
    mirrored = set()
    for kind, model in models_by_object().items():
        for row in rows_everywhere(model.objects.order_by("pk")):
            place = Place(kind, row.connect_account_id, row.stripe_id)
            mirrored.add(place)
            if problem := _mismatch(truth, place, row):
                yield f"{place} {problem}"
    for place in sorted(truth.ever.keys() - mirrored):
        yield f"{place} has no row"


def _mismatch(truth: Truth, place: Place, row: AbstractStripeModel) -> str:
    value = truth.living.get(place)
    if place not in truth.ever or row.livemode:
        return "never was, and has a row"
    if value is None:
        return "" if row.deleted_at else "was deleted, and its row lives"
    if row.deleted_at:
        return "lives, and its row is marked as deleted"
    return f"differs in {', '.join(_differences(row.data, value))}" if row.data != value else ""


def leaks(truth: Truth) -> Iterator[str]:
    """Find what is shown to a merchant and not theirs, or as the platform's own and is a merchant's."""
    for query, shown, theirs in _views(truth):
        yield from (f"{query} shows {place}" for place in sorted(shown - theirs))


def hidden(truth: Truth) -> Iterator[str]:
    """Find what is a merchant's, or the platform's, and not shown to them."""
    for query, shown, theirs in _views(truth):
        yield from (f"{query} does not show {place}" for place in sorted(theirs - shown))


def miscounts(truth: Truth) -> Iterator[str]:
    """Compare what the shop's handler counted with the sales there were: each once, however often it was told."""
    expected: Counter[tuple[str, str, str]] = Counter()
    for place, value in truth.ever.items():
        if place.kind == "charge" and place.account and value["status"] == "succeeded":
            expected[place.account, value["currency"], "sales"] += 1
            expected[place.account, value["currency"], "amount_minor"] += value["amount"]
    counted: Counter[tuple[str, str, str]] = Counter()
    for takings in rows_everywhere(Takings.objects.all()):
        for what in ("sales", "amount_minor"):
            key = (takings.connect_account_id, takings.currency, what)
            counted[key] += getattr(takings, what)
    for key in sorted(expected.keys() | counted.keys()):
        if expected[key] != counted[key]:
            yield f"the {key[1]} {key[2]} of {key[0]} are counted as {counted[key]}, not {expected[key]}"


def unreceived(truth: Truth) -> Iterator[str]:
    """Find events that are not in the inbox once each, or not dealt with."""
    inbox = {
        (event.connect_account_id, event.event_id): event.state
        for event in InboxEvent.objects.defer("payload")
    }
    for account, event_id in sorted(truth.events ^ inbox.keys()):
        yield f"event {event_id} of {account or 'the platform'} is not in both, the inbox and the stand-in"
    for (account, event_id), state in sorted(inbox.items()):
        if state != InboxEvent.State.PROCESSED:
            yield f"event {event_id} of {account or 'the platform'} is {state}"


def unsettled() -> Iterator[str]:
    """Find rows whose last state is still a guess."""
    for kind, model in models_by_object().items():
        for row in rows_everywhere(model.objects.unsettled()):
            yield str(Place(kind, row.connect_account_id, row.stripe_id))


def rows() -> int:
    """Return how many rows the mirror has."""
    return sum(len(rows_everywhere(model.objects.all())) for model in models_by_object().values())


def ties() -> int:
    """Return of how many objects several events were created in one second."""
    tied = (
        InboxEvent.objects.filter(object_type__in=models_by_object())
        .values("connect_account_id", "livemode", "object_id", "created")
        .annotate(events=Count("*"))
        .filter(events__gt=1)
    )
    places = ("connect_account_id", "livemode", "object_id")
    return len(set(tied.values_list(*places)))


def asked() -> int:
    """Return of how many objects that events tell of the events did not tell enough, so that Stripe was asked."""
    told = InboxEvent.objects.values("object_id")
    return sum(
        len(rows_everywhere(model.objects.filter(requested_at__isnull=False, stripe_id__in=told)))
        for model in models_by_object().values()
    )


def _views(truth: Truth) -> Iterator[tuple[str, set[Place], set[Place]]]:
    """Yield every query there is by account, asked in its context: what it is, what it shows, what it has to show."""
    for kind, model in models_by_object().items():
        there = [place for place in truth.ever if place.kind == kind]
        for key in ["", *truth.accounts]:
            own = {place for place in there if place.account == key}
            theirs = {place for place in there if truth.belongs(place, key)}
            account, objects = account_of(key), model.objects
            # Where each has a place of its own, what the platform has of a merchant is found in the platform's.
            places = {key, ""} if isolation() == "schemas" else {key}
            views = [
                ("for_account", objects.for_account(account), {key}, own),
                ("for_merchant", objects.for_merchant(account), places, theirs),
            ]
            # A query that names nobody: what it shows is what the database lets through.
            if isolation() == "rows":
                views.append(("all", objects.all(), {key}, theirs))
            elif has_places(model):
                views.append(("all", objects.all(), {key}, own))
            for name, rows, asked_in, expected in views:
                query = f"{model.__name__}.objects.{name}({key or 'PLATFORM'})"
                yield query, _shown(kind, rows, asked_in), expected


def _shown(kind: str, rows: QuerySet[Any], asked_in: set[str]) -> set[Place]:
    shown = set()
    for key in asked_in:
        with connect.account(account_of(key)):
            found = rows.values_list("connect_account_id", "stripe_id")
            shown |= {Place(kind, owner, stripe_id) for owner, stripe_id in found}
    return shown


def _names(value: Any, account: str) -> bool:
    """Say whether `account` stands anywhere in an object, but for what people write into it."""
    if isinstance(value, Mapping):
        return any(_names(item, account) for key, item in value.items() if key != "metadata")
    return (
        any(_names(item, account) for item in value)
        if isinstance(value, list)
        else value == account
    )


def _differences(row: Mapping[str, Any], value: Mapping[str, Any]) -> list[str]:
    missing = object()
    keys = sorted(row.keys() | value.keys())
    return [key for key in keys if row.get(key, missing) != value.get(key, missing)]
