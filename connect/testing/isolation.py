"""Does a view show one merchant what belongs to another? The stand-in knows what belongs to whom."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, TypeAlias

from connect.testing.stand_in import StandIn
from connect.testing.store import StripeObject

# A logged-in client (`client.get(url)`), or a function that is given the URL.
Asker: TypeAlias = Any
WORDS = frozenset({"email", "name", "description", "phone", "statement_descriptor"})
AMOUNTS = frozenset(
    {"amount", "amount_captured", "amount_due", "amount_total", "fee", "net", "unit_amount"}
)
# Below this, a number or a word stands in too many pages by chance.
AMOUNT_MIN = 1_000
WORD_LENGTH_MIN = 4
ID_LENGTH_MIN = 6
PLANTED_AMOUNT_FIRST = 73_193


class Leak(AssertionError):
    """A response showed one merchant something of another; or nothing could be learned from it."""


@dataclass(frozen=True)
class Telling:
    """A value that gives its owner away, and where it stands."""

    value: str
    pattern: re.Pattern[str]
    source: str


def assert_isolated(stand_in: StandIn, askers: Mapping[str, Asker], *urls: str) -> None:
    """Check that no merchant is shown another's ids, names, e-mail addresses or amounts at these URLs.

    `askers` has for each account id a client logged in as that merchant, or a function of the URL; what they return
    may be a response of Django's or `requests`', text, bytes, or what JSON is made of. `plant` makes data that is
    unmistakable. Values that two accounts share tell nothing and are left out.

    Raises Leak for what leaks, and where nothing is proved: a response that is no 200, a merchant without data, or
    none of whose own data is shown at any of the URLs.
    """
    if len(askers) < 2:
        raise Leak("Two merchants are needed to tell them apart.")
    values = {account: dict(telling(stand_in, account)) for account in askers}
    for account in askers:
        if not values[account]:
            raise Leak(
                f"{account} has no data in the stand-in: plant(stand_in, {account!r}) first."
            )
    for account, asker in askers.items():
        pages = {url: text_of(ask(asker, url), account, url) for url in urls or ("",)}
        own = values[account].values()
        if not any(shows(page, one) for page in pages.values() for one in own):
            raise Leak(
                f"As {account}, nothing of its own is shown at {', '.join(pages)}: this proves nothing. Is it "
                "logged in, and has the data arrived (deliver the events first)?"
            )
        for other in askers:
            if other != account:
                foreign = {v: t for v, t in values[other].items() if v not in values[account]}
                look_for(foreign.values(), other, account, pages)


def look_for(foreign: Iterable[Telling], other: str, account: str, pages: dict[str, str]) -> None:
    for url, page in pages.items():
        leaks = [one for one in foreign if shows(page, one)]
        if leaks:
            lines = [f"  {one.value} ({one.source}): {around(page, one)}" for one in leaks[:10]]
            more = f"\n  and {len(leaks) - 10} more" if len(leaks) > 10 else ""
            head = f"As {account}, {url or 'the view'} shows what belongs to {other}:\n"
            raise Leak(head + "\n".join(lines) + more)


def plant(stand_in: StandIn, account: str) -> None:
    """Give the merchant a customer and a payment whose names and amounts stand nowhere by chance."""
    number = sum(len(stand_in.state(a).get("charge", {})) for a in stand_in.world.accounts())
    word = stand_in.world.ids.characters(8, "bcdfghjklmnpqrstvwxz")
    client = stand_in.client(stripe_account=account)
    customer = client.v1.customers.create(
        {"name": f"Planted {word}", "email": f"{word}@example.com", "description": f"for {word}"}
    )
    client.v1.payment_intents.create(
        {
            "amount": PLANTED_AMOUNT_FIRST + 1_117 * number,
            "confirm": True,
            "currency": "usd",
            "customer": customer.id,
            "description": f"Order {word}",
            "payment_method": "pm_card_visa",
        }
    )


def telling(stand_in: StandIn, account: str) -> Iterator[tuple[str, Telling]]:
    """Everything of the account that a page might show, by value."""
    for noun, rows in stand_in.state(account).items():
        for id_, obj in rows.items():
            if noun == "event":
                continue
            if len(id_) >= ID_LENGTH_MIN:
                yield id_, Telling(id_, whole(id_), f"id of {noun}")
            for name, value in fields(obj):
                yield from told(name, value, f"{name} of {noun} {id_}")
    for currency, funds in stand_in.funds(account).items():
        for name in ("available", "pending", "total"):
            yield from told("amount", getattr(funds, name), f"{name} balance in {currency}")


def told(name: str, value: object, source: str) -> Iterator[tuple[str, Telling]]:
    if name in WORDS and isinstance(value, str) and len(value) >= WORD_LENGTH_MIN:
        yield value, Telling(value, whole(value), source)
    if name in AMOUNTS and isinstance(value, int) and abs(value) >= AMOUNT_MIN:
        shown = str(abs(value))
        yield shown, Telling(shown, written(abs(value)), source)


def fields(obj: StripeObject) -> Iterator[tuple[str, Any]]:
    for name, value in obj.items():
        if isinstance(value, dict):
            yield from fields(value)
        elif isinstance(value, str | int):
            yield name, value


def whole(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9_]){re.escape(value)}(?![A-Za-z0-9_])")


def written(amount: int) -> re.Pattern[str]:
    """An amount in minor or major units, with any separators: 73193, 731.93, 731,93, 73,193."""
    major, minor = f"{amount // 100:,}", f"{amount % 100:02}"
    ways = [f"{amount}", f"{amount:,}", f"{major}.{minor}", f"{amount // 100}.{minor}"]
    ways += [way.translate(str.maketrans(",.", ".,")) for way in ways]
    return re.compile(rf"(?<![\d.,])(?:{'|'.join(map(re.escape, ways))})(?![\d]|[.,]\d)")


def shows(page: str, one: Telling) -> bool:
    return one.pattern.search(page) is not None


def around(page: str, one: Telling) -> str:
    found = one.pattern.search(page)
    assert found is not None  # noqa: S101 - it was found a moment ago
    piece = page[max(0, found.start() - 30) : found.end() + 30]
    return "…" + " ".join(piece.split()) + "…"


def ask(asker: Asker, url: str) -> Any:
    get: Any = getattr(asker, "get", asker)
    return get(url)


def text_of(answer: Any, account: str, url: str) -> str:
    """The answer's headers and body as text, without HTML's and JSON's escapes."""
    status = getattr(answer, "status_code", 200)
    if status != 200:
        raise Leak(f"As {account}, {url or 'the view'} answered {status}: this proves nothing.")
    parts = [str(value) for value in dict(getattr(answer, "headers", {})).values()]
    body = getattr(answer, "content", answer)
    if getattr(answer, "streaming", False):
        body = b"".join(answer.streaming_content)
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    plain = re.sub(
        r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text.replace("\\/", "/")
    )
    return unescape("\n".join([*parts, plain]))
