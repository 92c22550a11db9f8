"""Owns which merchant a request is about: by its host, its path or a header, and by nothing else."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import Http404, HttpRequest, HttpResponseBase
from django.http.request import split_domain_port, validate_host
from django.urls import get_script_prefix, set_script_prefix
from django.utils.module_loading import import_string

from connect.context import account, every_account
from django_stripe.database import ALIAS
from django_stripe.platform import PLATFORM, Account
from tenants import conf
from tenants.names import ACCOUNT

if TYPE_CHECKING:
    from tenants.merchants.models import Merchant

Respond = Callable[[HttpRequest], HttpResponseBase]
MayEnter = Callable[[HttpRequest, "Merchant"], bool]

PATH: Final = re.compile(rf"/(?P<prefix>[^/]+)/(?P<account>{ACCOUNT.pattern})(?P<rest>/.*)")


def anyone(request: HttpRequest, merchant: Merchant) -> bool:
    """Let everybody see this merchant's pages, as a shop's front does. For ``TENANTS_MAY_ENTER``."""
    return True


class MerchantMiddleware:
    """Run the view in the account context of the merchant that the request names, its `request.tenant`.

    ``TENANTS_RESOLVE_BY``: ``"subdomain"`` (a `Domain` of the whole host), ``"path"`` (``/m/acct_…/``, which the urls
    do not see, and which `reverse` puts before them), ``"header"`` (``Connect-Account: acct_…``). All of these are of
    the sender's choosing: ``TENANTS_MAY_ENTER`` names a function that is given the request and the merchant, and says
    whether this sender may. Put the middleware after AuthenticationMiddleware, so that it can ask `request.user`.

    A request that names no merchant is the platform's at the hosts of ``TENANTS_PLATFORM_HOSTS``. Everything else is
    answered 404, also who may not enter: that would tell which merchants there are.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Respond) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if self._is_async:
            return self._respond_later(request)
        before = get_script_prefix()
        try:
            whose = resolve(request)
            with account(whose):
                return _in_context(self.get_response(request), whose)
        finally:
            set_script_prefix(before)

    async def _respond_later(self, request: HttpRequest) -> HttpResponseBase:
        # `may_enter` may load the user, and so ask the database, as `resolve` does.
        before = get_script_prefix()
        try:
            whose = await sync_to_async(resolve)(request)
            with account(whose):
                responding = cast("Awaitable[HttpResponseBase]", self.get_response(request))
                return _in_context(await responding, whose)
        finally:
            set_script_prefix(before)


def resolve(request: HttpRequest) -> Account:
    """Return the merchant whose request this is, or ``PLATFORM``. Raises Http404 for what is nobody's."""
    way = _WAYS[conf.resolve_by()]
    with every_account():
        named, merchant = way(request)
    if merchant is not None and _may_enter()(request, merchant):
        # As django-tenants calls it; its own helpers expect none where there is none.
        setattr(request, "tenant", merchant)  # noqa: B010 - HttpRequest declares none
        return cast("Account", merchant)
    if named or not validate_host(_host(request), conf.platform_hosts()):
        raise Http404
    return PLATFORM


def _by_host(request: HttpRequest) -> tuple[bool, Merchant | None]:
    merchant = _ready(domains__domain=_host(request))
    return merchant is not None, merchant


def _by_header(request: HttpRequest) -> tuple[bool, Merchant | None]:
    named = request.headers.get(conf.account_header())
    return named is not None, _of_account(named or "")


def _by_path(request: HttpRequest) -> tuple[bool, Merchant | None]:
    prefix = conf.path_prefix()
    if not request.path_info.startswith(f"/{prefix}/"):
        return False, None
    found = PATH.fullmatch(request.path_info)
    if found is None or found["prefix"] != prefix:
        return True, None
    merchant = _of_account(found["account"])
    if merchant is not None:
        request.path_info = found["rest"]
        script = f"{get_script_prefix().rstrip('/')}/{prefix}/{found['account']}"
        request.META["SCRIPT_NAME"] = script
        set_script_prefix(f"{script}/")
    return True, merchant


_WAYS: Final[dict[str, Callable[[HttpRequest], tuple[bool, Merchant | None]]]] = {
    "subdomain": _by_host,
    "path": _by_path,
    "header": _by_header,
}


def _of_account(named: str) -> Merchant | None:
    # Never the platform, whose account is empty.
    return _ready(connect_account_id=named) if ACCOUNT.fullmatch(named) else None


def _ready(**lookup: str) -> Merchant | None:
    from tenants.merchants.models import Merchant  # noqa: PLC0415 - an app that is not everybody's

    ready = Merchant.objects.using(ALIAS).filter(state=Merchant.State.READY, **lookup)
    return cast("Merchant | None", ready.exclude(connect_account_id="").first())


def _may_enter() -> MayEnter:
    return cast("MayEnter", import_string(conf.may_enter_path()))


def _host(request: HttpRequest) -> str:
    # As Django has checked it against ALLOWED_HOSTS.
    return split_domain_port(request.get_host())[0].rstrip(".")


def _in_context(response: HttpResponseBase, whose: Account) -> HttpResponseBase:
    """Have what a response streams be made in the context too, although it is sent after it was left."""
    streaming: Any = response
    if getattr(response, "streaming", False):
        content = streaming.streaming_content
        streaming.streaming_content = (
            _stream_later(content, whose)
            if streaming.is_async
            else _stream(iter(content), copy_context())
        )
    return response


def _stream(content: Iterator[Any], context: Context) -> Iterator[Any]:
    end = object()
    while (chunk := context.run(next, content, end)) is not end:
        yield chunk


async def _stream_later(content: AsyncIterator[Any], whose: Account) -> AsyncIterator[Any]:
    chunks = aiter(content)
    while True:
        with account(whose):
            try:
                chunk = await anext(chunks)
            except StopAsyncIteration:
                return
        yield chunk
