"""`assert_isolated` behind the wall: a view that names no account passes, and one that reaches all is found out."""

from __future__ import annotations

import pytest
from django.http import JsonResponse
from django.test import Client
from django.urls import include, path

import connect
from connect.context import every_account
from connect.testing import Leak, assert_isolated, plant
from connect.testing.django_endpoints import Deliver
from django_stripe.customer.models import Customer


def names():
    return JsonResponse({"names": [row.data.get("name") for row in Customer.objects.all()]})


def own(request):
    with connect.account(request.headers["Connect-Account"]):
        return names()


def everybodys(request):
    with every_account():
        return names()


urlpatterns = [
    path("own/", own),
    path("everybodys/", everybodys),
    path("stripe/", include("connect.urls")),
]


def test_what_each_merchant_is_shown_is_its_own_and_a_view_that_reaches_all_is_found_out(
    serving, stripe, merchants, settings
):
    settings.ROOT_URLCONF = __name__
    for account in merchants:
        plant(stripe, account)
    Deliver(stripe)()
    askers = {account: Client(headers={"Connect-Account": account}) for account in merchants}
    assert_isolated(stripe, askers, "/own/")
    with pytest.raises(Leak, match="shows what belongs to"):
        assert_isolated(stripe, askers, "/everybodys/")
