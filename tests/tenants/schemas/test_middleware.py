"""A request is about the merchant that it names, if its sender may, and about nobody else."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client
from django.urls import reverse

import connect
from connect.context import NoAccount
from django_stripe.platform import PLATFORM
from tenants.merchants.models import Domain, Merchant
from tenants.provisioning import provision, retire
from tests.tenants.rows import A, B
from tests.tenants.schemas.conftest import OWN

HOSTS = {A: "a.example.com", B: "b.example.com"}


class ClientOfAHost(AsyncClient):
    """Django's sends its own host beside the one that it is given."""

    def _base_scope(self, **request):
        scope = super()._base_scope(**request)
        return scope | {"headers": list(dict(scope["headers"]).items())}


def who_says_so(request, merchant):
    """A's pages are seen by whoever says so."""
    return request.GET.get("as") == merchant.connect_account_id


@pytest.fixture(autouse=True)
def domains(placed):
    for account, host in HOSTS.items():
        merchant = Merchant.objects.get(connect_account_id=account)
        Domain.objects.create(domain=host, tenant=merchant)


@pytest.fixture(params=["subdomain", "path", "header"])
def ask(request, settings):
    """Ask for a page of a merchant by one of the ways, of a view of one of the kinds, in either kind of server."""
    settings.TENANTS_RESOLVE_BY = request.param
    settings.TENANTS_PLATFORM_HOSTS = ["www.example.com"]

    def ask(account, page="whose/", *, later=False, query=""):
        host, path, headers = "www.example.com", f"/{page}", {}
        if account is not PLATFORM:
            if request.param == "subdomain":
                host = HOSTS.get(account, f"{account.replace('_', '-') or 'x'}.example.com")
            elif request.param == "path":
                path = f"/m/{account}/{page}"
            else:
                headers["connect-account"] = account
        path += query
        if not later:
            return Client().get(path, headers={"host": host, **headers})
        return async_to_sync(ClientOfAHost().get)(path, headers={"host": host, **headers})

    return ask


@pytest.mark.parametrize("later", [False, True], ids=["wsgi", "asgi"])
@pytest.mark.parametrize("page", ["whose/", "whose-async/"])
@pytest.mark.parametrize("account", [A, B, PLATFORM])
def test_its_view_is_in_the_account_of_the_merchant(ask, account, page, later):
    found = ask(account, page, later=later).json()
    assert found["account"] == str(account)
    assert found["charges"] == sorted(OWN[account])
    with pytest.raises(NoAccount):
        connect.current_account()


@pytest.mark.parametrize(("page", "later"), [("streamed/", False), ("streamed-async/", True)])
@pytest.mark.parametrize("account", [A, PLATFORM])
def test_what_is_streamed_is_of_the_merchant_too(ask, account, page, later):
    response = ask(account, page, later=later)

    async def content():
        return b"".join([part async for part in response.streaming_content])

    body = async_to_sync(content)() if later else b"".join(response.streaming_content)
    assert set(body.decode().split()) == OWN[account]


@pytest.mark.parametrize("later", [False, True], ids=["wsgi", "asgi"])
@pytest.mark.parametrize("account", ["acct_unknown", "platform", "public", "x", ""])
def test_who_is_no_merchant_is_not_found(ask, account, later):
    assert ask(account, later=later).status_code == 404


def test_who_is_retired_is_not_found(ask):
    retire(A)
    assert ask(A).status_code == 404
    assert ask(B).status_code == 200
    provision(A)
    assert ask(A).status_code == 200


def test_who_may_not_enter_is_told_what_a_stranger_is(ask, settings):
    settings.TENANTS_MAY_ENTER = f"{__name__}.who_says_so"
    assert ask(A, query=f"?as={A}").status_code == 200
    refused, unknown = ask(A, query=f"?as={B}"), ask("acct_unknown")
    assert refused.status_code == unknown.status_code == 404
    assert refused.content == unknown.content


def test_without_a_word_on_who_may_enter_nobody_does(ask, settings):
    del settings.TENANTS_MAY_ENTER
    with pytest.raises(ImproperlyConfigured, match="TENANTS_MAY_ENTER is not set"):
        ask(A)
    assert ask(PLATFORM).status_code == 200


def test_a_host_that_is_nobodys_is_not_found(ask, settings):
    settings.TENANTS_PLATFORM_HOSTS = []
    assert ask(PLATFORM).status_code == 404


def test_a_path_is_put_before_the_addresses_of_pages_and_of_no_other_requests(settings):
    settings.TENANTS_RESOLVE_BY = "path"
    here = Client().get(f"/m/{A}/whose/").json()["here"]
    assert here == f"/m/{A}/whose/"
    assert Client().get("/whose/").json()["here"] == "/whose/" == reverse("whose")
    assert async_to_sync(AsyncClient().get)(f"/m/{A}/whose/").json()["here"] == here
    assert reverse("whose") == "/whose/"


def test_a_merchants_host_is_not_told_by_its_port_or_its_letters(settings):
    answer = Client().get("/whose/", headers={"host": "A.Example.com:8000"}).json()
    assert answer["account"] == A


def test_staff_look_at_one_merchant_at_a_time(admin_staff):
    charges = "/admin/stripe_charge/charge/"
    assert "ch_own" in admin_staff.get(charges).content.decode()
    choose(admin_staff, A)
    assert charges in admin_staff.get("/admin/").content.decode()
    page = admin_staff.get(charges).content.decode()
    assert "ch_a1" in page
    assert "ch_b1" not in page
    assert "ch_own" not in page
    choose(admin_staff, A, B)
    choose(admin_staff, "")
    assert "ch_own" in admin_staff.get(charges).content.decode()
    choose(admin_staff, B)
    retire(B)
    assert "ch_own" in admin_staff.get(charges).content.decode()
    choose(admin_staff, B)
    assert "ch_own" in admin_staff.get(charges).content.decode()


def test_staff_are_served_by_an_async_site_too(admin_staff):
    choose(admin_staff, A)
    client = ClientOfAHost()
    client.cookies = admin_staff.cookies
    get = async_to_sync(client.get)
    assert "ch_a1" in get("/admin/stripe_charge/charge/").content.decode()
    assert get("/no/such/page/").status_code == 404


def test_without_a_place_of_the_platforms_staff_see_what_is_shared(admin_staff, placed, settings):
    settings.MIDDLEWARE = [each for each in settings.MIDDLEWARE if "Merchant" not in each]
    placed("UPDATE tenants_merchant SET state = 'retired'")
    assert admin_staff.get("/admin/merchants/merchant/").status_code == 200


def test_staff_see_the_inbox_of_all_whomever_they_look_at(admin_staff):
    for account in (A, ""):
        choose(admin_staff, account)
        page = admin_staff.get("/admin/connect/inboxevent/")
        assert page.status_code == 200
        assert page.content.decode().count("charge.updated") >= 2


def test_staff_name_merchants_and_neither_make_nor_delete_them(admin_staff):
    merchant = Merchant.objects.get(connect_account_id=A)
    page = f"/admin/merchants/merchant/{merchant.pk}/change/"
    assert HOSTS[A] in admin_staff.get(page).content.decode()
    assert admin_staff.get("/admin/merchants/merchant/add/").status_code == 403
    assert admin_staff.post(page.replace("change", "delete")).status_code == 403


def test_who_is_not_of_the_staff_sees_a_login():
    assert Client().get("/admin/stripe_charge/charge/").status_code == 302


@pytest.fixture
def admin_staff():
    User.objects.create_superuser("root", password="root")
    client = Client()
    assert client.login(username="root", password="root")
    return client


def choose(client, *accounts):
    merchants = Merchant.objects.filter(connect_account_id__in=accounts)
    data = {"action": "look_at", "_selected_action": [merchant.pk for merchant in merchants]}
    assert client.post("/admin/merchants/merchant/", data).status_code in {200, 302}
