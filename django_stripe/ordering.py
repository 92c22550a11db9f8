"""Owns the ordering rule: which of the states we were told of is an object's last, whatever the order they arrived in.

Pure functions over values; the database's part is in `upsert`, the argument why it converges in
docs/decisions/0002-ordering.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, Final, Protocol

NOTHING: Final = "nothing"
"""The state before birth and after deletion."""

Edge = tuple[str | None, str]


class Known(Protocol):
    """What is known of the moment of a state: of an incoming snapshot, or of the row as it stands.

    `as_of` is Stripe's clock in whole seconds: an event's ``created``, or a response's ``Date``. The two
    others are ours, on one clock: the state was true at a moment after `requested_at` (None: unknown, it
    came by an event) and before `received_at`. `decided_since` is where the seconds begin over which a
    row's tie was decided; `as_of` is where they end.
    """

    @property
    def as_of(self) -> datetime: ...
    @property
    def requested_at(self) -> datetime | None: ...
    @property
    def received_at(self) -> datetime: ...
    @property
    def event_id(self) -> str: ...
    @property
    def decided_since(self) -> datetime | None: ...


def earliest(known: Known) -> datetime:
    """Return the earliest second of Stripe's clock at which the state may have been true.

    A response is dated when it leaves Stripe and was read before that, at most as long ago as we waited.
    """
    if known.decided_since:
        return known.decided_since
    if known.event_id or known.requested_at is None:
        return known.as_of
    waited = known.received_at - known.requested_at
    return (known.as_of - waited).replace(microsecond=0)


def supersedes(new: Known, old: Known) -> bool | None:
    """Say whether `new` is later than `old`; None: a tie, to be decided over all that happened then.

    Causality comes first, whatever the clocks say: what was asked for after the other had arrived is later.
    """
    if new.requested_at and new.requested_at > old.received_at:
        return True
    if old.requested_at and old.requested_at > new.received_at:
        return False
    if earliest(new) > old.as_of:
        return True
    if earliest(old) > new.as_of:
        return False
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """One event as an edge: the object went from the state `before` to the state `after`.

    `before` is None where the event does not say: it carries no ``previous_attributes`` and is no birth.
    """

    event_id: str
    as_of: datetime
    received_at: datetime
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The event whose object is the row now; None: what Stripe answered when asked stands.

    `settled` is False where the events do not tell; the answer is then the best guess and Stripe is to be
    asked once. `by_prior`: it holds only if the state before was what we took it to be.
    """

    event_id: str | None
    settled: bool = True
    by_prior: bool = False


def state(value: Mapping[str, Any]) -> str:
    """Return `value` in a form in which equal states are equal texts; null is like absent."""
    return json.dumps(_canonical(value), sort_keys=True, default=str)


def state_before(value: Mapping[str, Any], previous_attributes: Mapping[str, Any]) -> str:
    """Return the state that `value` came from: its ``previous_attributes`` laid back over it."""
    return state(_overlay(value, previous_attributes))


def decide(
    changes: Sequence[Change],
    *,
    prior: str | None = None,
    observed: str | None = None,
    observed_at: datetime | None = None,
) -> Decision:
    """Decide which state is the last, from all `changes` of one object in the seconds in question.

    `observed` is the state that Stripe answered to a request sent at `observed_at`, if one is among the
    candidates: it comes after every change we had received before. `prior` is the state before them all.
    """
    late = [c for c in changes if observed_at is None or c.received_at >= observed_at]
    if observed is not None and (not late or _stays_deleted(observed, late)):
        return Decision(None)
    end, by_prior = _end(changes, prior)
    if observed is not None:
        if end == observed:
            return Decision(None)
        on_path = observed in chain.from_iterable((c.before, c.after) for c in changes)
        # Asked after the early changes, Stripe cannot have answered with what came before the last of them.
        if end is None or not on_path or all(c.after != end for c in late):
            return Decision(None, settled=False)
    if end is None:
        return Decision(_best_guess(changes), settled=False)
    last = max((c for c in changes if c.after == end), key=lambda c: (c.as_of, c.event_id))
    return Decision(last.event_id, by_prior=by_prior)


def final_state(changes: Sequence[Change], prior: str | None = None) -> str | None:
    """Return the state in which `changes` end, or None where they do not tell."""
    return _end(changes, prior)[0]


def _stays_deleted(observed: str, late: Sequence[Change]) -> bool:
    return observed == NOTHING and all(c.before != NOTHING for c in late)


def _end(changes: Sequence[Change], prior: str | None) -> tuple[str | None, bool]:
    edges: list[Edge] = [(c.before, c.after) for c in changes]
    births = any(before == NOTHING for before, _ in edges)
    if not births and any(after == NOTHING for _, after in edges):
        return NOTHING, False  # only a birth can follow a deletion
    for start in (None, prior):
        end = _trail_end(edges, start)
        if end is not None:
            return end, start is not None
    return _trail_end_of_twins(edges), False


def _trail_end_of_twins(edges: Sequence[Edge]) -> str | None:
    """One change may be told by two events (refund.updated and charge.refund.updated): read it once.

    Only where reading it twice cannot be: every event says where it came from, and they make no trail.
    """
    steps = [(before, after) for before, after in edges if before is not None]
    once = list(dict.fromkeys(steps))
    if len(steps) < len(edges) or len(once) == len(edges):
        return None
    befores, afters = zip(*steps, strict=True)
    closed = Counter(befores) == Counter(afters) and len(_components(steps)) == 1
    return None if closed else _trail_end(once, None)


def _trail_end(edges: Sequence[Edge], prior: str | None) -> str | None:
    """Return the end of the trail that walks every edge once, or None where there is no one such end."""
    steps = [(before, after) for before, after in edges if before is not None]
    leaps = [after for before, after in edges if before is None]
    if len(leaps) > 1:
        return None
    balance = Counter(leaps)
    for before, after in steps:
        balance[before] -= 1
        balance[after] += 1
    parts = _components(steps)
    return (
        _end_after_leap(leaps[0], balance, parts, prior)
        if leaps
        else _end_of_path(balance, parts, prior)
    )


def _end_of_path(balance: Counter[str], parts: list[set[str]], prior: str | None) -> str | None:
    if len(parts) != 1:
        return None
    if any(balance.values()):
        return _only(balance, 1) if _is_trail(balance, parts[0]) else None
    # A closed loop ends where it began. What was born in it had no state before.
    (loop,) = parts
    if len(loop) == 1:
        return next(iter(loop))
    return NOTHING if NOTHING in loop else prior if prior in loop else None


def _end_after_leap(
    leap: str, balance: Counter[str], parts: list[set[str]], prior: str | None
) -> str | None:
    """One event does not say where it came from: it cuts the walk in two, and the second starts at `leap`."""
    here = next((part for part in parts if leap in part), {leap})
    others = [part for part in parts if leap not in part]
    if len(others) > 1:
        return None
    if others:  # the first walk is all there, so the second is all here
        (other,) = others
        first_fits = _is_trail(balance, other) or not any(balance[v] for v in other)
        alone = first_fits and all(balance[v] >= 0 for v in here)
        return _only(balance, 1, among=here) if alone else None
    if here == {leap} and not parts:
        return leap
    if all(
        balance[v] >= 0 for v in here
    ):  # the first walk may be empty, or may be all of it: only `prior` can tell
        return _only(balance, 1, among=here) if prior is not None and prior not in here else None
    lacking = [v for v in here if balance[v] < 0]
    return _only(balance, 2, among=here) if [balance[v] for v in lacking] == [-1] else None


def _is_trail(balance: Counter[str], part: set[str]) -> bool:
    return sorted(balance[v] for v in part if balance[v]) == [-1, 1]


def _only(balance: Counter[str], surplus: int, among: Iterable[str] | None = None) -> str | None:
    ends = [v for v in (balance if among is None else among) if balance[v] > 0]
    return ends[0] if len(ends) == 1 and balance[ends[0]] == surplus else None


def _components(steps: Iterable[tuple[str, str]]) -> list[set[str]]:
    parts: list[set[str]] = []
    for step in steps:
        joined = set(step).union(*(part for part in parts if not part.isdisjoint(step)))
        parts = [part for part in parts if part.isdisjoint(step)]
        parts.append(joined)
    return parts


def _best_guess(changes: Sequence[Change]) -> str:
    """A state that no other change left; the same whatever the order of arrival."""
    left = {c.before for c in changes if c.before != c.after}
    return max(
        changes, key=lambda c: (c.after == NOTHING, c.after not in left, c.event_id)
    ).event_id


def _overlay(value: Mapping[str, Any], previous: Mapping[str, Any]) -> dict[str, Any]:
    laid = dict(value)
    for key, old in previous.items():
        new = laid.get(key)
        laid[key] = _overlay(new, old) if isinstance(new, dict) and isinstance(old, dict) else old
    return laid


def _canonical(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items() if item is not None}
    return [_canonical(item) for item in value] if isinstance(value, list) else value
