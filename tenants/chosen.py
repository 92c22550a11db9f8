"""Owns which merchant's objects staff look at in the admin, where each has its own schema: one at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.http import HttpRequest
from django.utils.decorators import sync_and_async_middleware

from connect.context import account, every_account
from django_stripe.database import ALIAS
from tenants.staff import in_admin

CHOSEN = "tenants_chosen"
"""The key in the session: the account of the merchant."""


@sync_and_async_middleware
def chosen_merchant_in_admin(get_response: Any) -> Any:
    """Run the pages of Django's admin in the context of the merchant that staff chose there, or of the platform.

    A middleware, for after AuthenticationMiddleware and in place of `every_account_in_admin`. A merchant is chosen by
    an action in the list of merchants. What staff may see of which model stays a matter of their permissions.
    """
    return in_admin(get_response, _context)


def choose(request: HttpRequest, key: str) -> None:
    """Have this session look at the merchant of the account `key` (``""``: the platform) from now on."""
    request.session[CHOSEN] = key


def _context(request: HttpRequest) -> AbstractContextManager[None]:
    from tenants.merchants.models import Merchant  # noqa: PLC0415 - an app that is not everybody's

    ready = Merchant.objects.using(ALIAS).filter(state=Merchant.State.READY)
    with every_account():
        # Or the platform, whose account comes first: the chosen one may have been retired since.
        keys = ["", str(request.session.get(CHOSEN, ""))]
        merchant = ready.filter(connect_account_id__in=keys).order_by("connect_account_id").last()
    if merchant is None:
        return nullcontext()
    # What the templates of django-tenants' admin ask, to show the tables of a merchant.
    setattr(request, "tenant", merchant)  # noqa: B010 - HttpRequest declares none
    return account(merchant)
