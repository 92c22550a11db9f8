"""Tokens for bank accounts and debit cards, good for one use."""

from typing import Any

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import bank_account, debit_card
from connect.testing.routing import Noun
from connect.testing.store import StripeObject

token = Noun("token", "/v1/tokens", "Token")


@token.create
def create(call: Call) -> StripeObject:
    params = call.params
    owner = {"id": None, "country": "US", "default_currency": "usd"}
    card = params.get("card")
    if params.get("bank_account"):
        obj = {"bank_account": bank_account.described(call, owner, params["bank_account"])}
    elif isinstance(card, dict):
        obj = {"card": debit_card.described(call, owner, card)}
    else:
        message = "The stand-in makes tokens of bank accounts and debit cards only."
        raise errors.Refused(400, message, param="bank_account")
    kind = next(iter(obj))
    return call.insert(
        {
            "id": call.new_id("btok" if kind == "bank_account" else "tok"),
            "object": "token",
            **obj,
            "client_ip": "127.0.0.1",
            "created": call.now,
            "livemode": False,
            "type": kind,
            "used": False,
        }
    )


def use(call: Call, id_: str, account: StripeObject) -> StripeObject:
    """The external account that the token stands for, not stored yet. Raises Refused for one unknown or used."""
    if id_ in bank_account.TOKENS:
        us: dict[str, Any] = {"country": "US", "currency": "usd"}
        status = "verified" if "verified" in id_ else "new"
        return bank_account.build(call, account, bank_account.TOKENS[id_], status=status, **us)
    if id_ in debit_card.TOKENS:
        return debit_card.described(call, account, {"token": id_})
    found = call.find("token", id_) or call.on(account["id"]).find("token", id_)
    if found is None:
        raise errors.resource_missing("token", id_, param="external_account", in_path=False)
    if found["used"]:
        message = f"You cannot use a Stripe token more than once: {id_}."
        raise errors.Refused(400, message, code="token_already_used", param="external_account")
    place = call if call.find("token", id_) else call.on(account["id"])
    place.change(found, {"used": True})
    return {**found[found["type"]], "account": account["id"]}


token.retrieve()
