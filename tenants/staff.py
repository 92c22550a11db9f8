"""Owns what staff see: the admin is about every account, and says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from connect.context import every_account

View = Callable[[HttpRequest], HttpResponse]


def every_account_in_admin(get_response: View) -> View:
    """Run the pages of Django's admin over the rows of every account, for staff who are logged in.

    A middleware, for after AuthenticationMiddleware: without it the admin shows no row where row-level security
    keeps merchants apart. What staff may see of which model stays a matter of their permissions.
    """

    def run(request: HttpRequest) -> HttpResponse:
        # Around all of it: a page is rendered, and so its rows are read, after its view has returned.
        with every_account() if _is_of_staff(request) else nullcontext():
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
