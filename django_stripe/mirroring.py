"""Owns the one write of the mirror: snapshots in, rows out, whatever their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from django.db import transaction

from django_stripe import registry, ties, upsert
from django_stripe.database import ALIAS
from django_stripe.refusal import (
    PayloadRefused,
    certain_refusal,
    is_suspect,
    payload_refused,
)
from django_stripe.snapshot import Key, Snapshot

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

BATCH_ROWS_MAX: Final = 1000

Group = Sequence[Snapshot]
"""Snapshots of one object, of which at most one becomes its row."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A snapshot that PostgreSQL cannot store, and why; nothing of its content."""

    snapshot: Snapshot
    reason: str


@dataclass(slots=True)
class Outcome:
    """What became of the snapshots of one call."""

    written: int = 0
    unchanged: int = 0
    """They were older than their rows, or already there."""
    not_installed: int = 0
    """No installed model mirrors their object, or it has no id."""
    decided: int = 0
    """Ties that the events decided."""
    unsettled: list[tuple[type[AbstractStripeModel], Key]] = field(default_factory=list)
    """Ties that only Stripe can tell: the row is a guess until `settle` has asked."""
    refused: list[Refusal] = field(default_factory=list)


def mirror(snapshots: Iterable[Snapshot]) -> Outcome:
    """Write each of `snapshots` to its row, unless the row is later.

    Any order, any repetition and any split into calls of the same snapshots ends in the same rows. A
    snapshot that PostgreSQL cannot store costs its own row and is named in the outcome. Each table is
    written in transactions of up to 1,000 rows, or in savepoints of the caller's transaction.
    """
    outcome = Outcome()
    groups: dict[str, dict[Key, list[Snapshot]]] = {}
    for snapshot in snapshots:
        if not snapshot.stripe_id or not registry.model_for(snapshot.object):
            outcome.not_installed += 1
        elif reason := certain_refusal(snapshot.payload):
            outcome.refused.append(Refusal(snapshot, reason))
        else:
            groups.setdefault(snapshot.object, {}).setdefault(snapshot.key, []).append(snapshot)
    for stripe_object in sorted(groups):  # one order of tables for everyone
        model = registry.models_by_object()[stripe_object]
        for turn in _turns(groups[stripe_object]):
            for batch in _batches(turn):
                _write(model, batch, outcome)
    return outcome


def mirror_one(snapshot: Snapshot) -> Outcome:
    """Write one snapshot like `mirror`, in the caller's transaction and without a savepoint of its own.

    Raises PayloadRefused if PostgreSQL cannot store it; the caller's transaction is then to be given up.
    """
    outcome = Outcome()
    model = registry.model_for(snapshot.object)
    if model is None or not snapshot.stripe_id:
        outcome.not_installed = 1
        return outcome
    with payload_refused():
        _write_all(model, {snapshot.key: [snapshot]}, outcome)
    return outcome


def _turns(groups: dict[Key, list[Snapshot]]) -> Iterator[dict[Key, Group]]:
    """Events of one object are one group; an answer of Stripe's among them takes its turn."""
    first: dict[Key, Group] = {}
    later: dict[Key, list[Snapshot]] = {}
    for key, group in groups.items():
        if len(group) == 1 or all(s.event_id for s in group):
            first[key] = group
        else:
            first[key] = group[:1]
            later[key] = group[1:]
    yield first
    if later:
        yield from _turns(later)


def _batches(groups: Mapping[Key, Group]) -> Iterator[dict[Key, Group]]:
    # In one order everywhere: two writers then wait for each other, and never both.
    items = iter(sorted(groups.items()))
    while batch := dict(islice(items, BATCH_ROWS_MAX)):
        yield batch


def _write(model: type[AbstractStripeModel], groups: dict[Key, Group], outcome: Outcome) -> None:
    try:
        with payload_refused(), transaction.atomic(ALIAS):
            _write_all(model, groups, outcome)
    except PayloadRefused as refused:
        parts = _suspects(groups) or _halves(groups)
        for part in parts:
            _write(model, part, outcome)
        if not parts:
            (group,) = groups.values()
            outcome.refused.append(Refusal(group[0], str(refused)))


def _write_all(
    model: type[AbstractStripeModel], groups: Mapping[Key, Group], outcome: Outcome
) -> None:
    newest = {key: _newest(group) for key, group in groups.items()}
    written = upsert.upsert(model, list(newest.values()))
    if written == len(groups):
        left_out = {key: group for key, group in groups.items() if _has_rivals(newest[key], group)}
    else:
        left_out = dict(groups)
    settled, unsettled = ties.resolve(model, left_out) if left_out else ([], [])
    outcome.written += written
    outcome.unchanged += sum(map(len, groups.values())) - written
    outcome.decided += len(settled)
    outcome.unsettled += [(model, key) for key in unsettled]


def _newest(group: Group) -> Snapshot:
    return group[0] if len(group) == 1 else max(group, key=lambda s: (s.as_of, s.event_id))


def _has_rivals(newest: Snapshot, group: Group) -> bool:
    return len(group) > 1 and any(
        s.as_of == newest.as_of and s.event_id != newest.event_id for s in group
    )


def _suspects(groups: dict[Key, Group]) -> list[dict[Key, Group]]:
    """Split those of `groups` off that are likely to be at fault, each by itself; empty where that splits nothing."""
    suspects = {key for key, group in groups.items() if any(is_suspect(s.payload) for s in group)}
    if not suspects or len(groups) == 1:
        return []
    others = {key: group for key, group in groups.items() if key not in suspects}
    return [*([others] if others else []), *({key: groups[key]} for key in sorted(suspects))]


def _halves(groups: dict[Key, Group]) -> list[dict[Key, Group]]:
    """Split `groups` to find the one that is at fault; empty where it is found."""
    items = list(groups.items())
    if len(items) == 1:
        ((key, group),) = items
        return [{key: [snapshot]} for snapshot in group] if len(group) > 1 else []
    middle = len(items) // 2
    return [dict(items[:middle]), dict(items[middle:])]
