"""`assert_isolated` finds what a view shows of another merchant, and refuses to pass where nothing is proved."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse

from connect.testing import Leak, StandIn, assert_isolated, plant

Show = Callable[[str], Any]


@pytest.fixture
def planted(stand_in: StandIn, merchant: str, other_merchant: str) -> list[str]:
    accounts = [merchant, other_merchant]
    for account in accounts:
        plant(stand_in, account)
    return accounts


def one(stand_in: StandIn, account: str, noun: str) -> dict[str, Any]:
    return next(iter(stand_in.state(account)[noun].values()))


def page(stand_in: StandIn, account: str, *more: object) -> str:
    """What a merchant should see: its own customer; and `more`, which it should perhaps not."""
    customer = one(stand_in, account, "customer")
    return f"<p>{customer['name']} {' '.join(map(str, more))}</p>"


def test_views_that_show_each_merchant_its_own_pass(stand_in: StandIn, planted: list[str]) -> None:
    askers = {account: lambda _, a=account: page(stand_in, a) for account in planted}
    assert_isolated(stand_in, askers, "/customers/", "/payments/")
    assert_isolated(stand_in, askers)


def leaks(stand_in: StandIn, foreign: str) -> Iterator[tuple[str, object]]:
    charge, customer = one(stand_in, foreign, "charge"), one(stand_in, foreign, "customer")
    amount = charge["amount"]
    yield "id of charge", charge["id"]
    yield "id of balance_transaction", one(stand_in, foreign, "balance_transaction")["id"]
    yield "id of account", foreign
    yield "name of customer", customer["name"].replace(" ", "&#32;")
    yield "email of customer", json.dumps(customer["email"]).replace("@", "\\u0040")
    yield "description of", charge["description"]
    yield "amount of", amount
    yield "amount of", f"${amount / 100:,.2f}"
    yield "amount of", f"{amount / 100:.2f}".replace(".", ",")
    yield "total balance in usd", one(stand_in, foreign, "balance_transaction")["net"]


@pytest.mark.parametrize("number", range(10))
def test_what_belongs_to_another_is_found(
    stand_in: StandIn, planted: list[str], number: int
) -> None:
    mine, foreign = planted
    source, shown = list(leaks(stand_in, foreign))[number]
    askers: dict[str, Show] = {
        mine: lambda _: page(stand_in, mine, shown),
        foreign: lambda _: page(stand_in, foreign),
    }
    with pytest.raises(Leak, match=source) as found:
        assert_isolated(stand_in, askers, "/payments/")
    assert f"As {mine}, /payments/ shows what belongs to {foreign}" in str(found.value)


def test_clients_and_every_kind_of_response(stand_in: StandIn, planted: list[str]) -> None:
    mine, foreign = planted
    bad = one(stand_in, foreign, "charge")["id"]

    class Client:
        """As much of Django's test client as is needed."""

        def __init__(self, account: str, *more: object) -> None:
            self.text = page(stand_in, account, *more)

        def get(self, url: str) -> Any:
            return {
                "/html/": HttpResponse(self.text),
                "/json/": JsonResponse({"text": self.text}),
                "/streamed/": StreamingHttpResponse([self.text.encode()]),
                "/bytes/": self.text.encode(),
                "/data/": {"rows": [{"text": self.text}]},
            }[url]

    urls = ("/html/", "/json/", "/streamed/", "/bytes/", "/data/")
    assert_isolated(stand_in, {mine: Client(mine), foreign: Client(foreign)}, *urls)
    for url in urls:
        with pytest.raises(Leak, match=f"{url} shows what belongs to"):
            assert_isolated(stand_in, {mine: Client(mine, bad), foreign: Client(foreign)}, url)


def test_a_header_may_leak_too(stand_in: StandIn, planted: list[str]) -> None:
    mine, foreign = planted
    response = HttpResponse(page(stand_in, mine), headers={"X-Account": foreign})
    askers: dict[str, Show] = {mine: lambda _: response, foreign: lambda _: page(stand_in, foreign)}
    with pytest.raises(Leak, match="id of account"):
        assert_isolated(stand_in, askers)


def test_what_both_have_tells_nothing(stand_in: StandIn, planted: list[str]) -> None:
    for account in planted:
        client = stand_in.client(stripe_account=account)
        client.v1.coupons.create({"id": "SUMMER-SALE", "percent_off": 10, "name": "Summer sale"})
    askers = {a: lambda _, a=a: page(stand_in, a, "SUMMER-SALE", "Summer sale") for a in planted}
    assert_isolated(stand_in, askers)


def test_where_nothing_is_proved_it_fails(
    stand_in: StandIn, planted: list[str], merchant: str
) -> None:
    mine, foreign = planted
    fine: Show = lambda _: page(stand_in, foreign)  # noqa: E731
    nothings: list[tuple[str, Show]] = [
        ("nothing of its own is shown", lambda _: "<p>Please log in</p>"),
        ("answered 302", lambda _: HttpResponse(status=302, headers={"Location": "/login/"})),
        ("answered 500", lambda _: HttpResponse(status=500)),
    ]
    for says, show in nothings:
        with pytest.raises(Leak, match=says):
            assert_isolated(stand_in, {mine: show, foreign: fine}, "/payments/")
    with pytest.raises(Leak, match="Two merchants"):
        assert_isolated(stand_in, {foreign: fine})
    with pytest.raises(Leak, match=r"acct_nobody has no data"):
        assert_isolated(stand_in, {foreign: fine, "acct_nobody": fine})


def test_an_amount_is_not_found_inside_another_number(
    stand_in: StandIn, planted: list[str]
) -> None:
    mine, foreign = planted
    amount = one(stand_in, foreign, "charge")["amount"]
    harmless = [
        f"1{amount}",
        f"{amount}0",
        f"9{amount / 100:.2f}",
        f"{amount}.5",
        f"{amount / 100:.2f}7",
    ]
    askers: dict[str, Show] = {
        mine: lambda _: page(stand_in, mine, *harmless),
        foreign: lambda _: page(stand_in, foreign),
    }
    assert_isolated(stand_in, askers)
