"""The pages that Stripe hosts, in the smallest form that works, each saying that it is not Stripe."""

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlencode

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.idempotency import Answer
from connect.testing.parameters import decode_form
from connect.testing.world import World

if TYPE_CHECKING:
    from connect.testing.api import Request

Page: TypeAlias = Callable[[Call, dict[str, str], str], Answer]
TEXT_MAX = 500
PAGES: list[tuple[re.Pattern[str], Page]] = []
LAYOUT = """<!doctype html>
<html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · stand-in, not Stripe</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 0 auto; padding: 1rem }}
.banner {{ background: #fff3cd; color: #3d2f00; border: 1px solid #e0c36a; border-radius: .5rem;
  padding: .5rem 1rem }}
[role=alert] {{ border-left: .3rem solid #c0392b; padding-left: .7rem }}
fieldset {{ border: 1px solid #8886; border-radius: .5rem; margin: 1rem 0; padding: .5rem 1rem 1rem }}
legend {{ font-weight: 600; padding: 0 .3rem }}
label {{ display: block; margin-top: .6rem }}
input:not([type=checkbox], [type=radio]), select {{ font: inherit; width: 100%; box-sizing: border-box;
  padding: .5rem; margin-top: .15rem }}
.row {{ display: flex; gap: .5rem }} .row > * {{ flex: 1 }}
button {{ font: inherit; padding: .6rem 1.2rem; margin: .3rem .3rem .3rem 0; border-radius: .4rem; border: 1px solid }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0 }} th, td {{ text-align: left; padding: .2rem .4rem }}
caption {{ text-align: left; font-weight: 600 }}
</style>
<main>
<p class="banner"><strong>This is not Stripe.</strong> It is a stand-in for tests.
No money moves. Enter nothing real.</p>
<h1>{title}</h1>
{body}
</main>
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


def said(form: dict[str, Any], name: str, default: str = "") -> str:
    """What a form says in one field, as text of a sane length whatever was sent."""
    value = form.get(name, default)
    return value.strip()[:TEXT_MAX] if isinstance(value, str) else default


def field(label: str, name: str, value: str = "", **attributes: str) -> str:
    """A labelled input."""
    extra = "".join(f' {key}="{escape(text)}"' for key, text in attributes.items())
    return (
        f'<label for="{name}">{escape(label)}</label>'
        f'<input id="{name}" name="{name}" value="{escape(value)}"{extra}>'
    )


def choice(label: str, name: str, options: Mapping[str, str], chosen: str = "") -> str:
    """A labelled select; `options` are texts by value."""
    shown = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options.items()
    )
    return f'<label for="{name}">{escape(label)}</label><select id="{name}" name="{name}">{shown}</select>'


def alert(text: str) -> str:
    return f'<p role="alert"><strong>{escape(text)}</strong></p>' if text else ""


def with_query(url: str, **added: str) -> str:
    """The address exactly as it was given, with more in its query."""
    head, hash_, fragment = url.partition("#")
    joint = "" if head.endswith(("?", "&")) else "&" if "?" in head else "?"
    return f"{head}{joint}{urlencode(added)}{hash_}{fragment}"


def redirect(url: str) -> Answer:
    return Answer(303, b"", (("Location", url), ("Content-Type", "text/plain")))
