"""External accounts: the bank accounts and debit cards that an account is paid out to, one of them the default."""

from typing import Any

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.resources import bank_account, debit_card, token
from connect.testing.resources.account_change import change, find
from connect.testing.resources.requirement import explained
from connect.testing.routing import route
from connect.testing.store import StripeObject

PATH = "/v1/accounts/{account}/external_accounts"
NOUNS = ("bank_account", "card")
EDITABLE = ("account_holder_name", "account_holder_type", "account_type", "name")
FAILURES = bank_account.FAILURES | debit_card.FAILURES


@route("POST", PATH, "AccountExternalAccountCreateParams")
def create(call: Call) -> StripeObject:
    account = controlled(call)
    obj = add(call, account, call.params["external_account"], replacing=False)
    if "metadata" in call.params:
        obj = call.on(account["id"]).change(obj, {"metadata": call.metadata()})
        refresh(call, account["id"])
    return obj


@route("GET", PATH, "AccountExternalAccountListParams")
def list_(call: Call) -> StripeObject:
    account = controlled(call)
    own, url = call.on(account["id"]), f"/v1/accounts/{account['id']}/external_accounts"
    noun = call.params.get("object")
    if noun is not None and noun not in NOUNS:
        raise errors.invalid_choice("object", NOUNS)
    if noun is not None:
        return lists.page(own, noun, url, lambda row: bool(row.get("account")))
    rows = every(own)
    ids = [row["id"] for row in rows]
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    for cursor in (after, before):
        if cursor is not None and cursor not in ids:
            raise errors.resource_missing(
                "external_account", cursor, param="starting_after", in_path=False
            )
    start = ids.index(after) + 1 if after is not None else 0
    found = rows[start : ids.index(before) if before is not None else None]
    limit = min(max(call.params.get("limit", lists.LIMIT_DEFAULT), 1), lists.LIMIT_MAX)
    shown = found[-limit:] if before is not None else found[:limit]
    return lists.listing(url, shown, has_more=len(found) > limit)


@route("GET", PATH + "/{id}", "AccountExternalAccountRetrieveParams")
def retrieve(call: Call) -> StripeObject:
    return named(call.on(controlled(call)["id"]), call.path["id"])


@route("POST", PATH + "/{id}", "AccountExternalAccountUpdateParams")
def update(call: Call) -> StripeObject:
    """Also one that failed is enabled again by an update, even one that says nothing."""
    account, params = controlled(call), call.params
    own = call.on(account["id"])
    obj = named(own, call.path["id"])
    allowed = EDITABLE + (debit_card.ADDRESS if obj["object"] == "card" else ())
    changes: dict[str, Any] = {
        name: params[name] for name in allowed if name in params and name in obj
    }
    if obj["object"] == "card":
        changes |= {
            name: int(params[name])
            for name in ("exp_month", "exp_year")
            if str(params.get(name)).isdecimal()
        }
    if "metadata" in params:
        changes["metadata"] = call.metadata(obj)
    if obj.get("status") == "errored":
        changes["status"] = "new"
    if params.get("default_for_currency"):
        dethrone(own, obj)
        changes["default_for_currency"] = True
    obj = own.change(obj, changes, "account.external_account.updated")
    refresh(call, account["id"])
    return obj


@route("DELETE", PATH + "/{id}", "AccountExternalAccountDeleteParams")
def delete(call: Call) -> StripeObject:
    account = controlled(call)
    own = call.on(account["id"])
    obj = named(own, call.path["id"])
    if obj["default_for_currency"] and obj["currency"] == account["default_currency"]:
        message = (
            "You cannot delete the default external account for your default currency. Please make another external "
            "account the default using the `default_for_currency` param, and then delete this one."
        )
        raise errors.Refused(400, message)
    stub = own.delete(obj, "account.external_account.deleted")
    refresh(call, account["id"])
    return {**stub, "currency": obj["currency"]}


def controlled(call: Call) -> StripeObject:
    """The account, if this platform controls it. One that merely authorised it keeps its bank account to itself."""
    account = find(call, call.path["account"])
    if not account["controller"].get("is_controller"):
        message = (
            "This application does not have the required permissions for this endpoint on account "
            f"'{account['id']}'."
        )
        raise errors.Refused(403, message, code="oauth_not_supported")
    return account


def add(call: Call, account: StripeObject, given: object, *, replacing: bool) -> StripeObject:
    """A new external account, from a token or a hash. `replacing` puts it in the default's place."""
    own = call.on(account["id"])
    obj = from_request(call, account, given)
    others = [row for row in every(own) if row["currency"] == obj["currency"]]
    default = bool(call.params.get("default_for_currency")) or replacing or not others
    if default and others:
        dethrone(own, obj)
    obj = own.insert({**obj, "default_for_currency": default}, "account.external_account.created")
    if replacing:
        for former in others:
            own.delete(own.get(former["object"], former["id"]), "account.external_account.deleted")
    refresh(call, account["id"])
    return obj


def from_request(call: Call, account: StripeObject, given: object) -> StripeObject:
    if not isinstance(given, dict):
        return token.use(call, str(given), account)
    if "token" in given:
        return token.use(call, str(given["token"]), account)
    if given.get("object") == "card":
        return debit_card.described(call, account, given)
    return bank_account.described(call, account, given)


def dethrone(own: Call, successor: StripeObject) -> None:
    """One default for each currency."""
    for row in every(own):
        rival = row["currency"] == successor["currency"] and row["id"] != successor["id"]
        if rival and row["default_for_currency"]:
            changes = {"default_for_currency": False}
            own.change(row, changes, "account.external_account.updated")


def refresh(call: Call, account: str, **changes: Any) -> None:
    """The account shows its external accounts."""
    url = f"/v1/accounts/{account}/external_accounts"
    listed = lists.sublist(url, every(call.on(account)))
    change(call, find(call, account), {"external_accounts": listed, **changes})


def fail(own: Call, obj: StripeObject) -> None:
    """A payout of a connected account came back: nothing more goes there until it is corrected."""
    if obj["object"] == "bank_account":
        obj = own.change(obj, {"status": "errored"}, "account.external_account.updated")
    if any(row.get("status") != "errored" for row in every(own)):
        refresh(own, own.account)
        return
    hash_ = find(own, own.account)["requirements"]
    due = {
        name: list(dict.fromkeys([*hash_[name], "external_account"]))
        for name in ("currently_due", "eventually_due", "past_due")
    }
    refresh(own, own.account, requirements=explained({**hash_, **due}))


def every(own: Call) -> list[StripeObject]:
    rows = [row for noun in NOUNS for row in own.newest_first(noun)]
    return [row for row in rows if row.get("account")]


def named(own: Call, id_: str) -> StripeObject:
    found = next((row for row in every(own) if row["id"] == id_), None)
    if found is None:
        raise errors.resource_missing("external_account", id_)
    return found
