"""Your project's own webhook endpoints, and how the stand-in's events get there."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from connect.testing.events import encode, event
from connect.testing.signatures import sign
from connect.testing.stand_in import StandIn
from connect.testing.store import PLATFORM, StripeObject

if TYPE_CHECKING:
    from django.http import HttpResponse

# Of the form that real ones have: the module takes no others.
SECRETS = {
    "platform": "whsec_standin0PLATFORM1secret2For3Tests4",
    "connect": "whsec_standin5CONNECT6secret7For8Tests9",
}
PATH = "connect:webhook"


@contextmanager
def pointed_at(stand_in: StandIn) -> Iterator[None]:
    """Have Django's settings name the stand-in. Does nothing where Django is not set up."""
    conf = sys.modules.get("django.conf")
    if not os.environ.get("DJANGO_SETTINGS_MODULE") and not (conf and conf.settings.configured):
        yield
        return
    from django.test import override_settings  # noqa: PLC0415 - whoever has no Django gets here neither

    with override_settings(
        STRIPE_API_BASE=stand_in.url,
        STRIPE_API_KEY=stand_in.api_key,
        STRIPE_WEBHOOK_SECRETS={name: [secret] for name, secret in SECRETS.items()},
    ):
        yield


class Endpoints:
    """Posts to the platform's endpoint or to the one for connected accounts, as Stripe would."""

    def __init__(self, stand_in: StandIn) -> None:
        self.stand_in = stand_in
        # A path with `{endpoint}` in it, for a project that does not include `connect.urls`.
        self.path: str | None = None

    def url(self, endpoint: str) -> str:
        if self.path is not None:
            return self.path.format(endpoint=endpoint)
        from django.urls import reverse  # noqa: PLC0415 - only here is Django needed

        return reverse(PATH, kwargs={"endpoint": endpoint})

    def post(self, body: bytes, account: str | None, signature: str | None = None) -> Any:
        """Post these bytes, signed unless a signature is given, through Django's test client.

        What a view does on commit is done also within a test's own transaction, which never commits.
        """
        from django.test import Client, TestCase  # noqa: PLC0415 - only here is Django needed

        endpoint = "connect" if account else "platform"
        with TestCase.captureOnCommitCallbacks(execute=True):
            return Client().post(
                self.url(endpoint),
                body,
                content_type="application/json",
                headers={"Stripe-Signature": signature or sign(body, SECRETS[endpoint])},
            )


class Webhook(Endpoints):
    """`webhook("charge.succeeded", {"id": "ch_1", "object": "charge"}, account="acct_…")`"""

    def __call__(
        self, type_: str, obj: StripeObject, *, account: str | None = None, **fields: Any
    ) -> "HttpResponse":
        """Post one event and return your endpoint's response. `fields` are as for `connect.testing.event`."""
        response: HttpResponse = self.post(event(type_, obj, account=account, **fields), account)
        return response


class Deliver(Endpoints):
    """Takes what happened on the stand-in since the last time, oldest first, to your endpoints."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__(stand_in)
        self._delivered: set[str] = set()

    def __call__(
        self, *types: str, account: str | None = None, times: int = 1, backwards: bool = False
    ) -> list[StripeObject]:
        """Deliver the events not delivered yet and return them; each must be answered with a 2xx.

        `types` may have wildcards; `account` limits it to one account ("" is the platform). `times` delivers
        each more than once, `backwards` the newest first: Stripe promises neither order nor uniqueness.

        Raises AssertionError for a refusal, with what your endpoint said.
        """
        waiting = [
            event
            for event in self._events(account)
            if event["id"] not in self._delivered
            and any(fnmatchcase(event["type"], wanted) for wanted in types or ("*",))
        ]
        for one in waiting[::-1] if backwards else waiting:
            for _ in range(times):
                response = self.post(encode(one), one.get("account"))
                if not 200 <= response.status_code < 300:
                    said = response.content[:500].decode(errors="replace")
                    raise AssertionError(
                        f"{self.url('connect' if one.get('account') else 'platform')} answered "
                        f"{response.status_code} to {one['type']} ({one['id']}): {said}"
                    )
            self._delivered.add(one["id"])
        return waiting

    def to(self, base_url: str) -> None:
        """From now on, the stand-in itself delivers to this server (`live_server.url`), as things happen.

        Then its switches apply: duplicates, shuffling, delays, losses. `stripe.flush()` waits for all of it.
        """
        for endpoint, secret in SECRETS.items():
            self.stand_in.webhook_endpoint(
                base_url + self.url(endpoint), connect=endpoint == "connect", secret=secret
            )

    def _events(self, account: str | None) -> list[StripeObject]:
        """The snapshot events of all accounts, by second, and those of one account in their order."""
        world = self.stand_in.world
        wanted = [PLATFORM, *world.accounts()] if account is None else [account]
        with world.lock:
            events = [one for scope in wanted for one in world.store.oldest_first(scope, "event")]
        return sorted(events, key=lambda one: int(one["created"]))
