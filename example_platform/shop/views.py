"""Owns the shop's pages: merchants with their charges, and the button that makes a sale."""

from __future__ import annotations

import random
import re
import secrets
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import stripe
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

import connect
from connect.context import UnknownAccount, every_account
from django_stripe.account.models import Account
from django_stripe.charge.models import Charge
from django_stripe.client import describe
from django_stripe.currency import decimals
from django_stripe.platform import account_of
from example_platform.shop import page, sales

LOOKS_MAX: Final = 8
KEY: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Awaited:
    """A sale that was made at Stripe a moment ago, and whether a webhook has told us of it."""

    payment: str
    arrived: bool
    look_again_at: str
    """Where to look in a second; empty when there is nothing to wait for any more."""


@require_GET
@every_account()
def merchants(request: HttpRequest) -> HttpResponse:
    """List merchants with their charges. Nobody asks Stripe to build this page."""
    pages = Paginator(page.connected_accounts(), page.MERCHANTS_PER_PAGE)
    listed = pages.get_page(request.GET.get("page"))
    context = {
        "accounts": listed,
        "merchants": page.merchants(list(listed)),
        "events": page.latest_events(),
        "ways": list(sales.WAYS),
        "idempotency_key": secrets.token_hex(16),
        "awaited": _awaited(request),
    }
    return render(request, "shop/merchants.html", context)


@require_POST
def sell(request: HttpRequest) -> HttpResponse:
    """Make a sale at Stripe, and wait for its webhook like everybody else: nothing is written here."""
    with every_account():
        account = get_object_or_404(
            page.connected_accounts(), connect_account_id=request.POST.get("account", "")
        )
    way = request.POST.get("way", "")
    key = request.POST.get("idempotency_key", "")
    if way not in sales.WAYS or not KEY.fullmatch(key):
        messages.error(request, "That form is not of this page. Please try again.")
        return redirect("shop:merchants")
    try:
        payment = sales.WAYS[way](
            account.connect_account_id, *_price(account, key), idempotency_key=key
        )
    except stripe.StripeError as error:
        messages.error(request, f"Stripe refused the sale: {describe(error)}.")
        return redirect("shop:merchants")
    home = account.connect_account_id if way == "direct" else ""
    return redirect(_address(payment.id, home, looks=0))


def _price(account: Account, key: str) -> tuple[int, str]:
    """Make up a price; the same form has the same one, or Stripe would refuse to hear of it twice."""
    currency = account.default_currency or "usd"
    amount = random.Random(key).randint(5, 95)  # noqa: S311 - a price, no secret
    return amount * 10 ** decimals(currency), currency


def _awaited(request: HttpRequest) -> Awaited | None:
    payment, home = request.GET.get("sale", ""), request.GET.get("in", "")
    looks = request.GET.get("looks", "")
    if not payment:
        return None
    arrived = _has_arrived(payment, home)
    done = arrived or not looks.isdecimal() or int(looks) >= LOOKS_MAX
    return Awaited(payment, arrived, "" if done else _address(payment, home, int(looks) + 1))


def _has_arrived(payment: str, home: str) -> bool:
    try:
        with connect.account(account_of(home)):
            charges = Charge.objects.for_account(account_of(home))
            return charges.filter(payment_intent=payment).exists()
    except (UnknownAccount, ValueError):
        return False  # what is asked is for anybody to write


def _address(payment: str, home: str, looks: int) -> str:
    query = urlencode({"sale": payment, "in": home, "looks": looks})
    return f"{reverse('shop:merchants')}?{query}"
