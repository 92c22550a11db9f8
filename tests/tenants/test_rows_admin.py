"""The admin is about every account for staff, by a middleware; without it, and for others, about none."""

from __future__ import annotations

import asyncio

import pytest
from django.conf import settings as configured
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse

from connect.context import EVERY_ACCOUNT, reach
from connect.models import InboxEvent
from tenants.staff import every_account_in_admin
from tests.tenants.rows import A

CHARGES = reverse("admin:stripe_charge_charge_changelist")
INBOX = reverse("admin:connect_inboxevent_changelist")
MIDDLEWARE = "tenants.staff.every_account_in_admin"


@pytest.fixture
def browser(serving):
    """Logged in as staff who may do anything."""
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser("staff", password="x"))
    return browser


@pytest.fixture
def with_middleware(settings):
    settings.MIDDLEWARE = [*configured.MIDDLEWARE, MIDDLEWARE]


@pytest.mark.usefixtures("with_middleware")
def test_staff_see_every_account(browser):
    page = browser.get(CHARGES).content.decode()
    assert {"ch_a1", "ch_b1", "ch_own"} <= {
        word for word in ("ch_a1", "ch_b1", "ch_own") if word in page
    }
    page = browser.get(CHARGES, {"account": A}).content.decode()
    assert "ch_a1" in page
    assert "ch_b1" not in page
    assert "evt_both" in browser.get(INBOX).content.decode()


@pytest.mark.usefixtures("with_middleware")
def test_others_see_no_admin_and_other_pages_no_rows(serving, browser):
    assert Client().get(CHARGES).status_code == 302
    user = get_user_model().objects.create_user("somebody", password="x")
    other = Client()
    other.force_login(user)
    assert other.get(CHARGES).status_code == 302
    assert browser.get("/nothing/there/").status_code == 404
    assert InboxEvent.objects.count() == 0


@pytest.mark.parametrize(
    ("address", "is_staff", "reached"),
    [
        (CHARGES, True, EVERY_ACCOUNT),
        (CHARGES, False, None),
        ("/stripe/webhooks/connect/", True, None),
        ("/nothing/there/", True, None),
    ],
)
def test_it_is_about_every_account_in_the_admin_and_for_staff_alone(address, is_staff, reached):
    request = RequestFactory().get(address)
    for user in (User(is_staff=is_staff, is_active=True), AnonymousUser()):
        request.user = user
        respond = every_account_in_admin(lambda request: HttpResponse(str(reach())))
        expected = None if user.is_anonymous else reached
        assert respond(request).content.decode() == str(expected)
    request.user = User(is_staff=True, is_active=False)
    assert respond(request).content == b"None"
    assert reach() is None


@pytest.mark.parametrize("is_staff", [True, False])
def test_it_is_so_in_an_event_loop(is_staff):
    request = RequestFactory().get(CHARGES)
    request.user = User(is_staff=is_staff, is_active=True)

    async def view(request):
        return HttpResponse(str(reach()))

    response = asyncio.run(every_account_in_admin(view)(request))
    assert response.content.decode() == str(EVERY_ACCOUNT if is_staff else None)


def test_without_the_middleware_the_admin_shows_nothing(browser):
    page = browser.get(CHARGES)
    assert page.status_code == 200
    assert "ch_" not in page.content.decode().replace("ch_charge", "")
