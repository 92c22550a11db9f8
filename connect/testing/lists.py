"""Lists: newest first, cursors, `created` windows, and lists that stand inside objects."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import ge, gt, le, lt
from typing import TypeAlias

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.store import StripeObject

Keep: TypeAlias = Callable[[StripeObject], bool]
LIMIT_DEFAULT = 10
LIMIT_MAX = 100
COMPARISONS = {"gt": gt, "gte": ge, "lt": lt, "lte": le}


def page(call: Call, noun: str, url: str, keep: Keep = lambda _: True) -> StripeObject:
    """One page of the account's objects of this kind. A deleted object still serves as a cursor."""
    limit = min(max(call.params.get("limit", LIMIT_DEFAULT), 1), LIMIT_MAX)
    backwards = "ending_before" in call.params
    candidates = within(call, walk(call, noun))
    found = list(islice((obj for obj in candidates if keep(obj)), limit + 1))
    rows = found[:limit]
    return listing(url, rows[::-1] if backwards else rows, has_more=len(found) > limit)


def walk(call: Call, noun: str) -> Iterator[StripeObject]:
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after is not None and before is not None:
        raise errors.Refused(
            400,
            "You cannot parse both a starting_after and an ending_before parameter at the same time.",
            param="ending_before",
        )
    for param, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and not call.world.store.knows(call.account, noun, cursor):
            raise errors.resource_missing(noun, cursor, param=param, in_path=False)
    if before is not None:
        return call.world.store.oldest_first(call.account, noun, after=before)
    return call.world.store.newest_first(call.account, noun, before=after)


def within(call: Call, objects: Iterator[StripeObject]) -> Iterator[StripeObject]:
    window = call.params.get("created")
    if window is None:
        return objects
    if isinstance(window, int):
        return (obj for obj in objects if obj["created"] == window)
    bounds = [(COMPARISONS[name], second) for name, second in window.items()]
    return (
        obj for obj in objects if all(compare(obj["created"], second) for compare, second in bounds)
    )


def listing(url: str, rows: Iterable[StripeObject], *, has_more: bool = False) -> StripeObject:
    return {"object": "list", "data": list(rows), "has_more": has_more, "url": url}


def sublist(url: str, rows: Iterable[StripeObject], *, total_count: bool = False) -> StripeObject:
    """The first ten of a list inside an object, newest first."""
    every = list(rows)
    listed = listing(url, every[:LIMIT_DEFAULT], has_more=len(every) > LIMIT_DEFAULT)
    return {**listed, "total_count": len(every)} if total_count else listed


def append(former: StripeObject, row: StripeObject) -> StripeObject:
    """The list inside an object with one more row at its head. It counts on where it shows `total_count`."""
    listed = {**former, **sublist(former["url"], [row, *former["data"]])}
    listed["has_more"] = former["has_more"] or listed["has_more"]
    if "total_count" in former:
        listed["total_count"] = former["total_count"] + 1
    return listed
