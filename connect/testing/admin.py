"""`/_stand_in/…`: what those who run the stand-in may see and do, as JSON. No part of Stripe's API.

GET  /_stand_in/state[?account=acct_…]   every object of the platform ("") and each account, by kind and id
GET  /_stand_in/balances                 available and pending, by account and currency
GET  /_stand_in/clock                    POST {"set": unix, "advance": seconds, "freeze": true|false}
GET  /_stand_in/switches                 POST {"duplicate": 1, "shuffle": true, …}: see `deliveries.Switches`
GET  /_stand_in/faults                   POST {"kind": "lock_timeout", "path": "/v1/charges*", …} adds a rule: see
                                         `faults.Fault`; DELETE clears them
GET  /_stand_in/deliveries               the log of delivery attempts
POST /_stand_in/flush                    {"timeout_seconds": 30}: deliver everything now
POST /_stand_in/onboard                  {"account": "acct_…", "leave_due": ["external_account"], "stand": "past_due"}
POST /_stand_in/deauthorize              {"account": "acct_…"}: as if the account itself ended the connection
POST /_stand_in/reset                    forget everything
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

import orjson

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.deliveries import Switches
from connect.testing.faults import Fault
from connect.testing.idempotency import Answer
from connect.testing.resources import connection
from connect.testing.resources.onboarding import complete_onboarding
from connect.testing.store import PLATFORM
from connect.testing.world import World

if TYPE_CHECKING:
    from connect.testing.api import Request

Door: TypeAlias = Callable[[World, dict[str, Any]], Any]
DOORS: dict[tuple[str, str], Door] = {}


def door(method: str, name: str) -> Callable[[Door], Door]:
    def declare(function: Door) -> Door:
        DOORS[method, name] = function
        return function

    return declare


def answer(world: World, request: "Request") -> Answer:
    """Other web pages in the same browser have no business here."""
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("Host"):
        return Answer(403, b'{"error": "only for those who run the stand-in"}')
    name = request.path.removeprefix("/_stand_in").strip("/")
    function = DOORS.get((request.method, name))
    if function is None:
        return Answer(
            404, orjson.dumps({"error": "unknown", "known": [" ".join(key) for key in DOORS]})
        )
    try:
        given = given_by(request)
        body = function(world, given)
    except (KeyError, TypeError, ValueError) as error:
        return Answer(400, orjson.dumps({"error": f"{type(error).__name__}: {error}"}))
    except errors.Refused as refused:
        return Answer(refused.status, orjson.dumps(refused.body))
    return Answer(200, orjson.dumps(body))


def given_by(request: "Request") -> dict[str, Any]:
    given: Any = {name: values[-1] for name, values in parse_qs(request.query).items()}
    if request.body:
        given |= orjson.loads(request.body)
    return dict(given)


@door("GET", "state")
def state(world: World, given: dict[str, Any]) -> Any:
    world.run_due_jobs()
    with world.lock:
        accounts = [given["account"]] if "account" in given else [PLATFORM, *world.accounts()]
        return {account: world.state(account) for account in accounts}


@door("GET", "balances")
def balances(world: World, _: dict[str, Any]) -> Any:
    with world.lock:
        return {
            account: {
                currency: asdict(funds) for currency, funds in world.ledger.funds(account).items()
            }
            for account in [PLATFORM, *world.accounts()]
        }


@door("GET", "clock")
def clock(world: World, _: dict[str, Any]) -> Any:
    return {"now": world.clock.now(), "frozen": world.clock.frozen}


@door("POST", "clock")
def set_clock(world: World, given: dict[str, Any]) -> Any:
    if "freeze" in given:
        (world.clock.freeze if given["freeze"] else world.clock.resume)()
    if "set" in given:
        world.clock.set(float(given["set"]))
    world.clock.advance(float(given.get("advance", 0)))
    world.run_due_jobs()
    return clock(world, {})


@door("GET", "switches")
def switches(world: World, _: dict[str, Any]) -> Any:
    return asdict(world.deliveries.switches)


@door("POST", "switches")
def set_switches(world: World, given: dict[str, Any]) -> Any:
    kinds = {name: type(value) for name, value in asdict(Switches()).items()}
    unknown = given.keys() - kinds.keys()
    if unknown:
        raise ValueError(f"unknown switches {sorted(unknown)}; there are {sorted(kinds)}")
    world.deliveries.turn(**{name: kinds[name](value) for name, value in given.items()})
    return switches(world, {})


@door("GET", "faults")
def faults(world: World, _: dict[str, Any]) -> Any:
    return [asdict(rule) for rule in world.faults.rules]


@door("POST", "faults")
def add_fault(world: World, given: dict[str, Any]) -> Any:
    world.faults.add(Fault(**given))
    return faults(world, {})


@door("DELETE", "faults")
def clear_faults(world: World, _: dict[str, Any]) -> Any:
    world.faults.clear()
    return []


@door("GET", "deliveries")
def deliveries(world: World, _: dict[str, Any]) -> Any:
    return [asdict(line) for line in list(world.deliveries.log)]


@door("POST", "flush")
def flush(world: World, given: dict[str, Any]) -> Any:
    return {"delivered": world.deliveries.flush(float(given.get("timeout_seconds", 30)))}


@door("POST", "onboard")
def onboard(world: World, given: dict[str, Any]) -> Any:
    with world.transaction():
        return complete_onboarding(Call(world), given.pop("account"), **given)


@door("POST", "deauthorize")
def deauthorize(world: World, given: dict[str, Any]) -> Any:
    with world.transaction():
        connection.disconnect(Call(world), given["account"])
    return {}


@door("POST", "reset")
def reset(world: World, _: dict[str, Any]) -> Any:
    world.reset()
    return {}
