"""All objects, keyed by (account, object, id). Every question names its account; none can be asked of all accounts.

Note "frozen objects": a stored object is never changed in place, only replaced. An event may therefore carry the very
object it is about, and rolling back means putting the former one back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

StripeObject: TypeAlias = dict[str, Any]
PLATFORM = ""


@dataclass
class Shelf:
    """The objects of one kind in one account, in order of creation."""

    rows: dict[str, StripeObject] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    position: dict[str, int] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Change:
    """What stood at a key before it was written."""

    shelf: Shelf
    id: str
    row: StripeObject | None
    position: int | None
    deleted: bool


class Store:
    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._journal: list[Change] = []

    def find(self, account: str, noun: str, id_: str) -> StripeObject | None:
        """The living object with this id in this account."""
        shelf = self._shelves.get((account, noun))
        if shelf is None or id_ in shelf.deleted:
            return None
        return shelf.rows.get(id_)

    def is_deleted(self, account: str, noun: str, id_: str) -> bool:
        shelf = self._shelves.get((account, noun))
        return shelf is not None and id_ in shelf.deleted

    def put(self, account: str, obj: StripeObject) -> None:
        """Insert, replace, or (where a caller may choose the id) create again what was deleted."""
        shelf = self._shelves.setdefault((account, obj["object"]), Shelf())
        id_ = obj["id"]
        self._remember(shelf, id_)
        if id_ not in shelf.rows or id_ in shelf.deleted:
            shelf.position[id_] = len(shelf.order)
            shelf.order.append(id_)
            shelf.deleted.discard(id_)
        shelf.rows[id_] = obj

    def delete(self, account: str, obj: StripeObject) -> None:
        """Take it out of sight. It stays known, as a cursor for lists and for the `deleted: true` stub."""
        shelf = self._shelves[account, obj["object"]]
        self._remember(shelf, obj["id"])
        shelf.deleted.add(obj["id"])

    def newest_first(
        self, account: str, noun: str, *, before: str | None = None
    ) -> Iterator[StripeObject]:
        """The living objects created before this one (or all), newest first."""
        shelf = self._shelves.get((account, noun), Shelf())
        start = len(shelf.order) if before is None else shelf.position[before]
        yield from self._walk(shelf, range(start - 1, -1, -1))

    def oldest_first(
        self, account: str, noun: str, *, after: str | None = None
    ) -> Iterator[StripeObject]:
        """The living objects created after this one (or all), oldest first."""
        shelf = self._shelves.get((account, noun), Shelf())
        start = 0 if after is None else shelf.position[after] + 1
        yield from self._walk(shelf, range(start, len(shelf.order)))

    def knows(self, account: str, noun: str, id_: str) -> bool:
        """Whether it is or was there: a deleted object still serves as a cursor."""
        shelf = self._shelves.get((account, noun))
        return shelf is not None and id_ in shelf.rows

    def nouns(self, account: str) -> list[str]:
        return sorted(noun for owner, noun in self._shelves if owner == account)

    def shelves(self) -> list[tuple[str, str]]:
        """Which accounts have objects of which kinds: for those who check the whole, not for requests."""
        return sorted(self._shelves)

    def commit(self) -> None:
        self._journal.clear()

    def rollback(self) -> None:
        """Undo everything since the last commit, in reverse."""
        for change in reversed(self._journal):
            self._undo(change)
        self._journal.clear()

    def _remember(self, shelf: Shelf, id_: str) -> None:
        self._journal.append(
            Change(shelf, id_, shelf.rows.get(id_), shelf.position.get(id_), id_ in shelf.deleted)
        )

    def _undo(self, change: Change) -> None:
        shelf, id_ = change.shelf, change.id
        if shelf.position.get(id_) != change.position:
            shelf.order.pop()
        if change.row is None or change.position is None:
            del shelf.rows[id_], shelf.position[id_]
        else:
            shelf.rows[id_] = change.row
            shelf.position[id_] = change.position
        if change.deleted:
            shelf.deleted.add(id_)
        else:
            shelf.deleted.discard(id_)

    def _walk(self, shelf: Shelf, indexes: range) -> Iterator[StripeObject]:
        for index in indexes:
            id_ = shelf.order[index]
            # An id that was deleted and chosen again stands at its newer place only.
            if shelf.position[id_] == index and id_ not in shelf.deleted:
                yield shelf.rows[id_]
