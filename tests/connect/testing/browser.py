"""A browser for tests: fetches a page, reads its form, submits it, and does not follow redirects by itself."""

import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass
class Page:
    """What came: `fields` are the form as it would be sent untouched, `target` is where a redirect leads."""

    url: str
    status: int
    text: str
    target: str
    fields: dict[str, str] = field(default_factory=dict)
    unlabelled: list[str] = field(default_factory=list)

    @property
    def alert(self) -> str:
        return self.text.partition('role="alert"')[2].partition("</p>")[0]

    def submit(self, *left_due: str, **changes: str) -> "Page":
        """Send the form with these changes; `left_due` are checkboxes to tick."""
        ticked = [("leave_due[]", path) for path in left_due]
        pairs = [*(self.fields | changes).items(), *ticked]
        return visit(self.url, urllib.parse.urlencode(pairs).encode())


class Form(HTMLParser):
    """Every field a person sees has to be labelled, by `for` or by standing inside the label."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.labels: set[str] = set()
        self.seen: list[tuple[str, str, bool]] = []
        self._select = ""
        self._depth = 0

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in pairs}
        if tag == "label":
            self.labels.add(given.get("for", ""))
            self._depth += 1
        elif tag in {"input", "select"}:
            if given.get("type") != "hidden":
                self.seen.append((given.get("name", ""), given.get("id", ""), self._depth > 0))
            if tag == "select":
                self._select = given["name"]
            elif given.get("type") not in {"checkbox", "radio"}:
                self.fields[given["name"]] = given.get("value", "")
        elif tag == "option" and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._depth -= 1


def visit(url: str, body: bytes | None = None) -> Page:
    try:
        with urllib.request.build_opener(Stay).open(url, body, timeout=10) as response:
            return read(url, response.status, response.read().decode(), "")
    except urllib.error.HTTPError as error:
        with error:
            target = error.headers.get("Location", "")
            return read(url, error.code, error.read().decode(), target)


def read(url: str, status: int, text: str, target: str) -> Page:
    form = Form()
    form.feed(text)
    unlabelled = [
        name
        for name, id_, inside in form.seen
        if not inside and (not id_ or id_ not in form.labels)
    ]
    return Page(url, status, text, target, form.fields, unlabelled)
