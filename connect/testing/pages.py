"""The pages that Stripe hosts, in the smallest form that works, each saying that it is not Stripe."""

import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, TypeAlias

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.parameters import decode_form
from connect.testing.world import World

if TYPE_CHECKING:
    from connect.testing.api import Request

Page: TypeAlias = Callable[[Call, dict[str, str], str], Answer]
PAGES: list[tuple[re.Pattern[str], Page]] = []
LAYOUT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title} · stand-in, not Stripe</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 32rem; margin: 2rem auto; padding: 0 1rem }}
.banner {{ background: #fff3cd; border: 1px solid #e0c36a; border-radius: .5rem; padding: .5rem 1rem }}
button, select, input {{ font: inherit; padding: .4rem .8rem; margin: .3rem 0 }}
</style>
<p class="banner"><strong>This is not Stripe.</strong> It is a stand-in for tests.
No money moves. Enter nothing real.</p>
<h1>{title}</h1>
{body}
</html>
"""


def page(path: str) -> Callable[[Page], Page]:
    """Declare a page by a path with `{names}`. It gets a platform call, the names, and the method.

    What changes something runs in a transaction of the page's own, so that it can show what was refused.
    """
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[\\w-]+)", path))

    def declare(function: Page) -> Page:
        PAGES.append((pattern, function))
        return function

    return declare


def answer(world: World, request: "Request") -> Answer:
    """Pages know no API key: the unguessable address is what admits, as at Stripe."""
    world.run_due_jobs()
    for pattern, function in PAGES:
        match = pattern.fullmatch(request.path)
        if match and request.method in {"GET", "POST"}:
            try:
                form = decode_form(
                    request.body if request.method == "POST" else request.query.encode()
                )
                call = Call(world, params=form, base_url=request.base_url)
                with world.lock:
                    return function(call, match.groupdict(), request.method)
            except errors.Refused as refused:
                message = f"<p>{escape(str(refused))}</p>"
                return html("This did not work", message, refused.status)
    if request.path == "/":
        return html("Stand-in Stripe", "<p>The API is under <code>/v1</code>.</p>")
    return html("Not found", "<p>There is no such page here.</p>", 404)


def html(title: str, body: str, status: int = 200) -> Answer:
    """`body` is HTML: whatever came from a request must be escaped before it gets here."""
    text = LAYOUT.format(title=escape(title), body=body)
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    headers = (("Content-Type", "text/html; charset=utf-8"), ("Content-Security-Policy", policy))
    return Answer(status, text.encode(), headers)


def redirect(url: str) -> Answer:
    return Answer(303, b"", (("Location", url), ("Content-Type", "text/plain")))
