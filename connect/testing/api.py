"""From an HTTP request to Stripe's API to its answer: key, version, account, idempotency, parameters, action."""

import re
from base64 import b64decode
from dataclasses import dataclass, replace
from email.message import Message
from hashlib import sha256
from urllib.parse import unquote

import orjson

from connect.testing import asked, errors, events, parameters, retired, routing
from connect.testing.asked import Asked
from connect.testing.call import Call
from connect.testing.expansion import rendered
from connect.testing.faults import NO_ANSWER
from connect.testing.idempotency import KEPT_SECONDS, V2_KEPT_SECONDS, Answer, Kept
from connect.testing.resources import load
from connect.testing.store import PLATFORM, StripeObject
from connect.testing.world import World

load()

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z_]+)?")
KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]{3,}")
LIVE_KEY = re.compile(r"(sk|rk|pk)_live_")


@dataclass(frozen=True)
class Request:
    """`path` is without the query."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes
    base_url: str


def answer(world: World, request: Request) -> Answer:
    """Serve one request. Every request has its own id, and the account it ran for is echoed."""
    with world.lock:
        request_id = world.ids.new("req")
    headers = {"Request-Id": request_id}
    try:
        key = api_key(request.headers.get("Authorization"))
        headers["Stripe-Version"] = version(request.headers.get("Stripe-Version"))
        world.run_due_jobs()
        call = Call(
            world,
            account=account(world, request, key),
            request_id=request_id,
            idempotency_key=idempotency_key(request),
            base_url=request.base_url,
        )
        # Also platform calls on `/v1/accounts/{id}…` are answered with the account's id.
        named = re.match(r"/v1/accounts/(acct_\w+)", request.path)
        if call.account or named:
            headers["Stripe-Account"] = call.account or (named[1] if named else "")
        if named and not may_see(call, named[1]):
            raise errors.account_invalid(key, named[1])
        done = exposed(call, request)
        world.run_due_jobs()  # what the request set going and is due at once
    except errors.Refused as refused:
        done = refusal(refused)
    said = (request.method, request.path, request.query, request.body)
    world.asked.append(Asked(*said, done.status, asked.told(request.headers)))
    return Answer(done.status, done.body, (*headers.items(), *done.headers))


def api_key(authorization: str | None) -> str:
    """Raises Refused (401) unless it is a test key. Live keys are not even masked into the answer."""
    scheme, _, value = (authorization or "").partition(" ")
    key = value.strip()
    if scheme.lower() == "basic":
        try:
            key = b64decode(key).decode().partition(":")[0]
        except ValueError:
            key = ""
    if not key:
        raise errors.Refused(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/.",
        )
    if LIVE_KEY.match(key):
        raise errors.Refused(
            401,
            "This is the stand-in, not Stripe: it refuses live keys. Use any key that begins with sk_test_.",
        )
    if not KEY.fullmatch(key):
        raise errors.Refused(401, f"Invalid API Key provided: {errors.masked(key)}")
    return key


def version(wanted: str | None) -> str:
    if wanted is not None and not VERSION.fullmatch(wanted):
        raise errors.Refused(400, f"Invalid Stripe API version: {wanted}")
    return wanted or events.API_VERSION


def account(world: World, request: Request, key: str) -> str:
    """The account the request runs for. Raises Refused (403) for one that the platform may not act for."""
    named, context = request.headers.get("Stripe-Account"), request.headers.get("Stripe-Context")
    if named and context:
        raise errors.Refused(
            400, "You cannot set both the Stripe-Account and the Stripe-Context header."
        )
    wanted = (context or "").rpartition("/")[2] or named or PLATFORM
    if key in world.access_tokens:  # OAuth gave it for one account, and it opens no other
        wanted = wanted or world.access_tokens[key]
        if wanted != world.access_tokens[key]:
            raise errors.account_invalid(key, wanted)
    if wanted in {PLATFORM, world.platform_account}:
        return PLATFORM
    if not world.may_access(wanted):
        raise errors.account_invalid(key, wanted)
    return wanted


def may_see(call: Call, named: str) -> bool:
    """The platform, and any account, sees itself and the accounts connected to it."""
    return named == call.account_id or call.find("account", named) is not None


def is_v2(request: Request) -> bool:
    return request.path.startswith("/v2/")


def idempotency_key(request: Request) -> str | None:
    keyed = {"POST", "DELETE"} if is_v2(request) else {"POST"}
    return request.headers.get("Idempotency-Key") if request.method in keyed else None


def exposed(call: Call, request: Request) -> Answer:
    """Run the request, unless a fault rule decides otherwise."""
    fault = call.world.faults.strike(request.method, request.path, call.account)
    if fault is None:
        return idempotent(call, request)
    if fault.kept:
        return idempotent(call, request, fault.refusal())
    if fault.runs:
        idempotent(call, request)
    if fault.status == NO_ANSWER:
        return Answer(NO_ANSWER, b"")
    raise fault.refusal()


def idempotent(call: Call, request: Request, refused: errors.Refused | None = None) -> Answer:
    """Run the request once for its key; replay the kept answer after that. `refused` is what it comes to by fault."""
    key = call.idempotency_key
    if key is None:
        return perform(call, request) if refused is None else refusal(refused)
    said = f"{request.method} {request.path}?{request.query}\n".encode() + request.body
    fingerprint = sha256(said).hexdigest()
    keys = call.world.idempotency
    # The two versions of the API keep keys apart, for different times, and v2 runs again what had failed.
    scope = f"{call.account} v2" if is_v2(request) else call.account
    kept_statuses = {200} if is_v2(request) else {200, 402, *range(500, 600)}
    kept = keys.begin(scope, key, fingerprint, call.now)
    if kept is not None:
        replayed = (("Idempotent-Replayed", "true"), ("Original-Request", kept.request_id))
        return replace(kept.answer, headers=(("Idempotency-Key", key), *replayed))
    kept = None
    try:
        done = perform(call, request) if refused is None else refusal(refused)
        # What was refused before it ran is not kept: the same key may be used for the corrected request.
        if done.status in kept_statuses:
            seconds = V2_KEPT_SECONDS if is_v2(request) else KEPT_SECONDS
            kept = Kept(fingerprint, done, call.now + seconds, call.request_id or "")
    finally:
        keys.end(scope, key, kept)
    return replace(done, headers=(*done.headers, ("Idempotency-Key", key)))


def perform(call: Call, request: Request) -> Answer:
    try:
        route, named = routing.find(request.method, request.path)
        raw = parameters.decode_form(request.query.encode())
        if request.method != "GET" and request.body:
            decode = parameters.decode_json if is_v2(request) else parameters.decode_form
            raw |= decode(request.body)
        params = checked(route.operation, raw, request) if route.operation else undocumented(raw)
        call = replace(
            call, params=params, path={name: unquote(value) for name, value in named.items()}
        )
        with call.world.transaction():
            body = encoded(rendered(call, route.action(call)))
    except errors.Refused as refused:
        return refusal(refused)
    return Answer(200, body)


def encoded(obj: StripeObject) -> bytes:
    try:
        return orjson.dumps(obj, option=orjson.OPT_INDENT_2)
    except (
        orjson.JSONEncodeError
    ) as error:  # amounts that are added up or multiplied have no limit of their own
        raise errors.Refused(400, "This comes to a number that is too large.") from error


def checked(operation: str, raw: parameters.Params, request: Request) -> parameters.Params:
    wanted = request.headers.get("Stripe-Version")
    spec = retired.at_version(operation, parameters.compiled(operation), raw, wanted)
    return parameters.read(operation, raw, spec)


def undocumented(raw: parameters.Params) -> parameters.Params:
    return {name: value for name, value in raw.items() if name != "expand"}


def refusal(refused: errors.Refused) -> Answer:
    body = orjson.dumps(refused.body, option=orjson.OPT_INDENT_2)
    return Answer(refused.status, body, tuple(refused.headers.items()))
