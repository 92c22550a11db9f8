"""The balance: always the sum of the account's balance transactions."""

from typing import Any

from connect.testing.call import Call
from connect.testing.routing import job, route
from connect.testing.store import StripeObject


@route("GET", "/v1/balance", "BalanceRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    funds = call.world.ledger.funds(call.account)
    own = call.world.store.find("", "account", call.account)
    currencies = sorted(funds) or [own["default_currency"] if own else "usd"]

    def amounts(kind: str) -> list[dict[str, Any]]:
        rows = []
        for currency in currencies:
            amount = getattr(funds[currency], kind) if currency in funds else 0
            rows.append({"amount": amount, "currency": currency, "source_types": {"card": amount}})
        return rows

    balance: StripeObject = {
        "object": "balance",
        "available": amounts("available"),
        "livemode": False,
    }
    if not call.account:
        balance["connect_reserved"] = [
            {"amount": 0, "currency": currency} for currency in currencies
        ]
    return {**balance, "pending": amounts("pending")}


@job("balance.available", "balance_transaction")
def tell(call: Call, _: StripeObject) -> None:
    """Money became available. What becomes so in one second is told once."""
    for event in call.newest_first("event"):
        if event["created"] < call.now:
            break
        if event["type"] == "balance.available":
            return
    call.emit("balance.available", retrieve(call))
