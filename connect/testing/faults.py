"""Faults by rule: which requests go wrong, how, and how often; as clients of the real API have recorded them."""

import threading
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from connect.testing import errors

# An answer with this status is none: the connection is closed instead.
NO_ANSWER = 0
LOCKED = (
    "This object cannot be accessed right now because another API request or Stripe process is currently accessing "
    "it. If you see this error intermittently, retry the request. If you see this error frequently and are making "
    "multiple concurrent requests to a single object, make your requests serially or at a lower rate. For more "
    "details, see https://stripe.com/docs/rate-limits#object-lock-timeouts."
)
BUSY = "Request rate limit exceeded. Learn more at https://stripe.com/docs/rate-limits."
FAILED = "Sorry! There was an error while talking to one of our backends. Please try again later."
REVOKED = "Invalid API Key provided: sk_test_***"
IN_PROGRESS = (
    "There is currently another in-progress request using this resource. Please try again later."
)


@dataclass(frozen=True)
class Kind:
    """The error's status and fields. `runs`: the request has its effect all the same. `kept`: its key replays this."""

    status: int
    message: str = ""
    type: str = "invalid_request_error"
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    runs: bool = False
    kept: bool = False

    def refusal(self) -> errors.Refused:
        headers = dict(self.headers)
        return errors.Refused(
            self.status, self.message, type=self.type, code=self.code, headers=headers
        )


KINDS: dict[str, Kind] = {
    # stripe-python gives up on the first two (no `Stripe-Should-Retry`) and retries the third.
    "rate_limit": Kind(
        429, BUSY, code="rate_limit", headers={"Stripe-Rate-Limited-Reason": "endpoint-rate"}
    ),
    "too_many_requests": Kind(429, BUSY, code="rate_limit"),
    "lock_timeout": Kind(429, LOCKED, code="lock_timeout", headers={"Stripe-Should-Retry": "true"}),
    "conflict": Kind(409, IN_PROGRESS, "idempotency_error", "idempotency_key_in_use"),
    # Stripe keeps the 500 of a request it began under its idempotency key: to retry is to get it again, and it says so.
    "api_error": Kind(
        500, FAILED, "api_error", headers={"Stripe-Should-Retry": "false"}, kept=True
    ),
    "unavailable": Kind(503, FAILED, "api_error"),
    "timeout_before_commit": Kind(NO_ANSWER),
    "timeout_after_commit": Kind(NO_ANSWER, runs=True),
    "unauthorized": Kind(401, REVOKED),
    "card_declined": Kind(402, "Your card was declined.", "card_error", "card_declined", kept=True),
    "account_invalid": Kind(
        403,
        "The provided key 'sk_test_***' does not have access to this account (or that account does not exist). "
        "Application access may have been revoked.",
        code="account_invalid",
    ),
}


@dataclass(frozen=True)
class Fault:
    """One rule. `path` may have wildcards; `account` None means any, "" the platform.

    It lets `after` requests that match pass, then hits `times` of them; None hits all until it is cleared.
    """

    kind: str
    method: str = "*"
    path: str = "*"
    account: str | None = None
    times: int | None = 1
    after: int = 0
    hits: int = 0

    def matches(self, method: str, path: str, account: str) -> bool:
        return (
            (self.times is None or self.hits < self.times)
            and self.method in {"*", method}
            and fnmatchcase(path, self.path)
            and self.account in {None, account}
        )


NOTHING = type(None)
TYPES = {
    "kind": (str,),
    "method": (str,),
    "path": (str,),
    "account": (str, NOTHING),
    "times": (int, NOTHING),
    "after": (int,),
    "hits": (int,),
}


class Faults:
    """The rules, in the order they were added. The first that matches decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    @property
    def rules(self) -> list[Fault]:
        return list(self._rules)

    def add(self, fault: Fault) -> None:
        """Raises ValueError for a kind there is not, TypeError for values of the wrong type."""
        for name, kinds in TYPES.items():
            if type(getattr(fault, name)) not in kinds:
                raise TypeError(f"{name} cannot be {getattr(fault, name)!r}")
        if fault.kind not in KINDS:
            raise ValueError(f"unknown kind of fault {fault.kind!r}; there are {sorted(KINDS)}")
        with self._lock:
            self._rules.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._rules.clear()

    def strike(self, method: str, path: str, account: str) -> Kind | None:
        """What goes wrong with this request; it counts as a hit."""
        with self._lock:
            for index, rule in enumerate(self._rules):
                if rule.matches(method, path, account):
                    if rule.after > 0:
                        self._rules[index] = replace(rule, after=rule.after - 1)
                        return None
                    self._rules[index] = replace(rule, hits=rule.hits + 1)
                    return KINDS[rule.kind]
        return None
