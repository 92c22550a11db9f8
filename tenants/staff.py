"""Owns what staff see: the admin is about every account, and says so."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.decorators import sync_and_async_middleware

from connect.context import every_account


@sync_and_async_middleware
def every_account_in_admin(get_response: Any) -> Any:
    """Run the pages of Django's admin over the rows of every account, for staff who are logged in.

    A middleware, for after AuthenticationMiddleware: without it the admin shows no row where row-level security
    keeps merchants apart. What staff may see of which model stays a matter of their permissions.
    """
    # Around all of it: a page is rendered, and so its rows are read, after its view has returned.
    if iscoroutinefunction(get_response):

        async def run_later(request: HttpRequest) -> Any:
            # The session and the user are asked for.
            with await sync_to_async(_context)(request):
                return await get_response(request)

        return run_later

    def run(request: HttpRequest) -> Any:
        with _context(request):
            return get_response(request)

    return run


def is_of_staff(request: HttpRequest) -> bool:
    """Say whether this is a page of the admin, and who asks for it may see such."""
    try:
        match = resolve(request.path_info, getattr(request, "urlconf", None))
    except Resolver404:
        return False
    if "admin" not in match.app_names:
        return False
    user = getattr(request, "user", None)
    return user is not None and user.is_active and bool(getattr(user, "is_staff", False))


def _context(request: HttpRequest) -> AbstractContextManager[None]:
    return every_account() if is_of_staff(request) else nullcontext()
