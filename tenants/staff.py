"""Owns what staff see: the admin is about every account, and says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.decorators import sync_and_async_middleware

from connect.context import every_account

ContextOf = Callable[[HttpRequest], AbstractContextManager[None]]


@sync_and_async_middleware
def every_account_in_admin(get_response: Any) -> Any:
    """Run the pages of Django's admin over the rows of every account, for staff who are logged in.

    A middleware, for after AuthenticationMiddleware: without it the admin shows no row where row-level security
    keeps merchants apart. What staff may see of which model stays a matter of their permissions.
    """
    return in_admin(get_response, lambda request: every_account())


def in_admin(get_response: Any, context_of: ContextOf) -> Any:
    """Return what runs the admin's pages, for staff who are logged in, in a context, and all others as they are."""

    def context(request: HttpRequest) -> AbstractContextManager[None]:
        return context_of(request) if _is_of_staff(request) else nullcontext()

    # Around all of it: a page is rendered, and so its rows are read, after its view has returned.
    if iscoroutinefunction(get_response):

        async def run_later(request: HttpRequest) -> Any:
            # The session and the user are asked for.
            with await sync_to_async(context)(request):
                return await get_response(request)

        return run_later

    def run(request: HttpRequest) -> Any:
        with context(request):
            return get_response(request)

    return run


def _is_of_staff(request: HttpRequest) -> bool:
    try:
        match = resolve(request.path_info, getattr(request, "urlconf", None))
    except Resolver404:
        return False
    if "admin" not in match.app_names:
        return False
    user = getattr(request, "user", None)
    return user is not None and user.is_active and bool(getattr(user, "is_staff", False))
