"""Whatever is sent, to whichever address, the answer is a refusal in order and never a defect of the stand-in."""

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
import stripe as sdk

from connect.testing import StandIn
from connect.testing.pages import PAGES
from connect.testing.routing import ROUTES

FORMS = (
    b"",
    b"a[b][c]=d&account=acct_none&amount=abc&currency=%FF",
    b"external_account[object]=bank_account&external_account[account_number][x]=1",
    b"components[payments]=x&individual=x&capabilities=x&type=x&reason=x",
    b"components[payments][features]=x&external_account[]=1&metadata=x&relationship=x",
    b"leave_due[][x]=1&action[]=submit&day[]=1&account[]=x&state[]=1&stripe_user[email][x]=1",
    b"grant_type[]=x&code[a]=b&client_id=%00&stripe_user_id[]=x",
    b"&&==&%&[]=&[&]&a[",
)
JSONS = (
    b"",
    b"[]",
    b"null",
    b'{"a": {"b": [1, 2.5, null, true]}}',
    b'{"account": 5, "use_case": {"type": "x"}, "name": {}, "enabled_events": "x"}',
    b'{"identity": {"individual": {"id_numbers": [null], "date_of_birth": null}}}',
    b'{"identity": {"individual": {"relationship": null, "given_name": null}}, "metadata": null}',
    b'{"configuration": {"merchant": null, "recipient": {"capabilities": null}}, "defaults": null}',
    b'{"defaults": {"responsibilities": null}, "identity": null, "contact_email": null}',
    b'{"include": [null], "limit": 1e400}',
    b'{"display_name": "\\ud800"}',
    b"\xff\xfe",
)


@pytest.fixture(scope="module")
def running() -> Iterator[StandIn]:
    with StandIn(seed=7) as stand_in:
        yield stand_in


@pytest.fixture(scope="module")
def names(running: StandIn) -> dict[str, str]:
    """Ids that exist, to get beyond the first refusal."""
    stripe = running.client()
    account = stripe.v1.accounts.create({"type": "custom"}).id
    running.onboard(account)
    person = stripe.v1.accounts.persons.list(account).data[0].id
    destination = running.event_destination("http://localhost:9/")["id"]
    return {
        "account": account,
        "capability": "transfers",
        "destination": destination,
        "person": person,
    }


def answered(running: StandIn, method: str, path: str, body: bytes, kind: str) -> tuple[int, Any]:
    port = int(running.url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": f"Bearer {running.api_key}", "Content-Type": kind}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read()
    connection.close()
    return response.status, text


def addresses(names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Every route, with ids that exist where there are some and nonsense where there are none."""
    last = {
        "capabilities": names["capability"],
        "event_destinations": names["destination"],
        "persons": names["person"],
        "accounts": names["account"],
    }
    for (method, _), routes in ROUTES.items():
        for route in routes:
            path: list[str] = []
            for segment in route.segments:
                if not segment.startswith("{"):
                    path.append(segment)
                elif segment == "{account}":
                    path.append(names["account"])
                else:
                    path.append(last.get(path[-1], "x%00%2F"))
            yield method, "/" + "/".join(path)


def test_no_route_fails_whatever_is_sent(running: StandIn, names: dict[str, str]) -> None:
    failed = []
    for method, path in addresses(names):
        v2 = path.startswith("/v2/")
        # What deletes or closes would leave nothing to send to.
        if method == "DELETE" or path.endswith("/close"):
            continue
        for body in JSONS if v2 else FORMS:
            query = "?limit=x&page=%00&created[gt]=1&types[]=&expand[]=a.b" if not body else ""
            kind = "application/json" if v2 else "application/x-www-form-urlencoded"
            sent = b"" if method == "GET" else body
            if method == "GET":
                query = "?" + body.decode("latin-1") if body and not v2 else query
                query = "".join(c for c in query if " " < c < "\x7f")
            status, text = answered(running, method, path + query, sent, kind)
            if status >= 500:
                failed.append((method, path, body, text[:80]))
    assert failed == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_page_fails_whatever_is_sent(
    running: StandIn, names: dict[str, str], method: str
) -> None:
    stripe = running.client()
    links = []
    for _ in FORMS:
        link: Any = {"account": names["account"], "type": "account_onboarding"}
        links.append(stripe.v1.account_links.create(link).url.removeprefix(running.url))
    fixed = [pattern.pattern for pattern, _ in PAGES if "(" not in pattern.pattern]
    failed = []
    for link, body in zip(links, FORMS, strict=True):
        for path in [*fixed, link, "/oauth/token", "/oauth/deauthorize", "/c/pay/x", "/setup/s/x"]:
            kind = "application/x-www-form-urlencoded"
            query = "?" + body.decode("latin-1") if method == "GET" else ""
            status, _ = answered(running, method, path + query, body, kind)
            if status >= 500:
                failed.append((path, body))
    assert failed == []


def test_a_page_that_is_open_survives_nonsense(running: StandIn, names: dict[str, str]) -> None:
    stripe = running.client()
    for body in FORMS:
        link: Any = {"account": names["account"], "type": "account_onboarding"}
        url = stripe.v1.account_links.create(link).url.removeprefix(running.url)
        port = int(running.url.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", url)
        response = connection.getresponse()
        response.read()
        page = response.headers["Location"].removeprefix(running.url)
        connection.close()
        kind = "application/x-www-form-urlencoded"
        assert answered(running, "POST", page, body, kind)[0] < 500


def test_refusals_of_v2_are_json_too(running: StandIn) -> None:
    for path in ("/v2/core/accounts/none", "/v2/none", "/v2/core/events/x"):
        status, text = answered(running, "GET", path, b"", "application/json")
        assert status == 404
        assert json.loads(text)["error"]["type"] == "invalid_request_error"
    client = sdk.StripeClient("sk_live_abcdefgh", base_addresses={"api": running.url})
    with pytest.raises(sdk.AuthenticationError):
        client.v2.core.accounts.list()
