"""v2's lists: newest first, and an opaque token for the next page in an address that is followed as it is."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.store import StripeObject

LIMIT_DEFAULT = 20
LIMIT_MAX = 100


def page(
    call: Call, noun: str, url: str, keep: Callable[[StripeObject], bool] = lambda _: True
) -> StripeObject:
    """One page. New objects appear before the first page, so that walking on neither repeats nor misses any."""
    params = call.params
    limit = params.get("limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        raise errors.Refused(400, f"limit must be between 1 and {LIMIT_MAX}.", param="limit")
    after = from_token(call, noun, params["page"]) if params.get("page") else None
    rows = call.world.store.newest_first(call.account, noun, before=after)
    found = list(islice((row for row in rows if keep(row)), limit + 1))
    following = None
    if len(found) > limit:
        asked = {**params, "page": to_token(found[limit - 1]["id"])}
        following = f"{url}?{urlencode(flat(asked))}"
    return {"data": found[:limit], "next_page_url": following, "previous_page_url": None}


def to_token(id_: str) -> str:
    return urlsafe_b64encode(id_.encode()).decode().rstrip("=")


def from_token(call: Call, noun: str, token: str) -> str:
    try:
        id_ = urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        id_ = ""
    if not call.world.store.knows(call.account, noun, id_):
        raise errors.Refused(400, "This page token is not valid.", param="page")
    return id_


def flat(params: dict[str, Any]) -> list[tuple[str, str]]:
    """As a query: `types[0]=a&created[gt]=b`, booleans in Stripe's spelling."""
    pairs: list[tuple[str, str]] = []
    for name, given in params.items():
        value = dict(enumerate(given)) if isinstance(given, list) else given
        if isinstance(value, dict):
            pairs += [(f"{name}[{key}]", spelled(item)) for key, item in value.items()]
        elif value is not None:
            pairs.append((name, spelled(value)))
    return pairs


def spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def find(call: Call, noun: str, id_: str) -> StripeObject:
    """Raises Refused (404) in v2's words."""
    obj = call.find(noun, id_)
    if obj is None:
        raise errors.Refused(404, f"No such {noun}: '{id_}'", code="not_found")
    return obj
