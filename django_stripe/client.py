"""Owns the way to Stripe: one neutral client a key, and the account said aloud in every call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

import stripe

from django_stripe.conf import api_key, setting
from django_stripe.platform import PLATFORM, Account, account_key

SILENT_PARAMETER: Final = "stripe_account="


class HTTPClient(stripe.RequestsClient):
    """The SDK's client, which refuses a request that names its account where Stripe does not look.

    ``stripe_account`` among a call's parameters is no error to Stripe: the call runs on the platform.
    """

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        **options: Any,
    ) -> Any:
        query = url.partition("?")[2]
        body = post_data if isinstance(post_data, str) else ""
        for where in (query, body):
            if f"&{SILENT_PARAMETER}" in f"&{where}" or '"stripe_account":' in where:
                raise TypeError(
                    "stripe_account was passed among the parameters, where Stripe ignores it. "
                    'Pass options={"stripe_account": …}, or use connect.client(account=…).'
                )
        return super().request(method, url, headers, post_data, **options)


def client_for(*, livemode: bool, account: Account = PLATFORM) -> stripe.StripeClient:
    """Return a client of the platform's key of one mode, whose calls run in `account`.

    Settings are read now. Clients of one key share connections, and may be used from any thread.
    Raises ImproperlyConfigured without a key for this mode. https://docs.stripe.com/connect/authentication
    """
    key, account_id = api_key(livemode), account_key(account)
    base, version = setting("STRIPE_API_BASE"), setting("STRIPE_API_VERSION")
    return stripe.StripeClient(
        key,
        stripe_account=account_id or None,
        stripe_version=version or None,
        base_addresses=cast("Any", {"api": base, "connect": base, "files": base} if base else {}),
        max_network_retries=setting("STRIPE_MAX_NETWORK_RETRIES"),
        http_client=_http_client(setting("STRIPE_TIMEOUT_SECONDS")),
    )


def options(account: Account) -> stripe.RequestOptions:
    """Return the options of a call in `account`; every call of ours is made with them.

    Raises NoAccount without an explicit account or ``PLATFORM``.
    """
    account_id = account_key(account)
    return {"stripe_account": account_id} if account_id else {}


def describe(error: stripe.StripeError) -> str:
    """Say what went wrong in words that may be logged: an SDK error itself carries whole bodies and headers."""
    # Most classes leave `code` empty and have it in `error`, which an empty body leaves out.
    code = error.code or getattr(error.error, "code", None) or type(error).__name__
    return f"HTTP {error.http_status or 'none'} {code} (request {error.request_id or 'unknown'})"


@lru_cache(maxsize=4)
def _http_client(timeout_seconds: float) -> HTTPClient:
    return HTTPClient(timeout=timeout_seconds)
