"""The admin of every mirrored object: it reads, and stays fast."""

import importlib
import json
import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import path

import django_stripe.admin
from django_stripe.common.admin import (
    JSON_LENGTH_MAX,
    StripeObjectAdmin,
    dashboard_url,
    indented,
)
from django_stripe.common.changelist import ChoiceFilter
from django_stripe.registry import models_by_object
from tests.django_stripe.admin_pages import CHARGE, fill, page, plan_of, queries_of, stored

MODELS = [pytest.param(model, id=name) for name, model in sorted(models_by_object().items())]
EVERY_MODEL = pytest.mark.parametrize("model", MODELS)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(admin_client):
    return admin_client


# Every object


@EVERY_MODEL
def test_every_installed_object_has_the_read_only_admin(model):
    assert isinstance(admin.site.get_model_admin(model), StripeObjectAdmin)


def test_what_is_registered_already_is_left_alone():
    before = dict(admin.site._registry)
    importlib.reload(django_stripe.admin)
    assert admin.site._registry == before


@EVERY_MODEL
def test_the_list_and_the_page_of_an_object_are_shown(client, model):
    fill(model, 1, 2)
    row = model.objects.get(stripe_id="x_1")
    assert "x_1" in client.get(page(model, "changelist")).text
    text = client.get(page(model, "change", row.pk)).text
    assert "&quot;secret&quot;: &quot;of 1&quot;" in text
    assert "acct_1" in text
    assert 'name="_save"' not in text


@EVERY_MODEL
def test_no_post_changes_anything(client, model):
    fill(model, 1, 1)
    before = list(model.objects.values())
    pk = before[0]["id"]
    delete = {"action": "delete_selected", "_selected_action": [pk], "index": 0, "post": "yes"}
    answers = [
        client.post(page(model, "changelist"), delete),
        client.post(page(model, "changelist"), {"_save": "Save", "form-0-id": pk}),
        client.post(page(model, "add"), {"stripe_id": "x_2"}),
        client.post(page(model, "change", pk), {"stripe_id": "x_2", "_save": "Save"}),
        client.post(page(model, "change", pk), {"stripe_id": "x_2", "_saveasnew": "Save"}),
        client.post(page(model, "delete", pk), {"post": "yes"}),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert list(model.objects.values()) == before
    assert client.get(page(model, "add")).status_code == 403


@EVERY_MODEL
def test_fifty_rows_take_as_many_queries_as_one_and_none_of_them_counts(client, model):
    fill(model, 1, 1)
    _, with_one = queries_of(client, model, page(model, "changelist"))
    fill(model, 2, 50)
    queries, with_fifty = queries_of(client, model, page(model, "changelist"))
    assert with_fifty == with_one
    assert len(queries) == 1
    assert "COUNT(" not in queries[0].upper()
    assert "DISTINCT" not in queries[0].upper()


@EVERY_MODEL
def test_the_list_does_not_read_what_it_does_not_show(client, model):
    ((query,), _) = queries_of(client, model, page(model, "changelist"))
    read = set(re.findall(r'"\."(\w+)"', query.partition(" FROM ")[0]))
    assert not read & {"data", "origin", "as_of", "event_id", "updated_at"}


@EVERY_MODEL
def test_no_list_of_a_large_table_scans_it(client, model):
    fill(model, 1, 20_000)
    addresses = ["", "?p=20", "?account=platform", "?account=platform&p=20", "?account=acct_7"]
    addresses += ["?account=acct_7&mode=live", "?mode=test", "?q=x_19999", "?account=acct_7&q=x_7"]
    addresses += ["?q=acct_7", "?o=1.2.3", "?account=acct_none"]
    for address in addresses:
        (query,), _ = queries_of(client, model, page(model, "changelist") + address)
        plan = plan_of(query)
        assert "Seq Scan" not in plan, f"{address}\n{query}\n{plan}"


# Who may look


def test_without_permission_nobody_sees_a_row():
    client = Client()
    client.force_login(User.objects.create_user("staff", is_staff=True))
    row = stored()
    assert client.get(page(CHARGE, "changelist")).status_code == 403
    assert client.get(page(CHARGE, "change", row.pk)).status_code == 403


def test_the_permission_to_view_is_enough_to_look():
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_charge"))
    client = Client()
    client.force_login(user)
    row = stored()
    assert client.get(page(CHARGE, "changelist")).status_code == 200
    assert client.get(page(CHARGE, "change", row.pk)).status_code == 200


# One object


def test_data_is_shown_as_text_whatever_is_in_it(client):
    row = stored(data={"metadata": {"</pre><script>alert(1)</script>": "</script><script>x"}})
    text = client.get(page(CHARGE, "change", row.pk)).text
    assert "&lt;/script&gt;&lt;script&gt;x" in text
    assert "<script>alert" not in text
    assert "<script>x" not in text


def test_columns_and_ids_are_shown_as_text_whatever_is_in_them(client):
    row = stored(
        stripe_id="<b>id",
        connect_account_id='"><b>acct',
        data={"status": "<b>s", "currency": "<b>c", "amount": 1},
    )
    for address in (page(CHARGE, "changelist"), page(CHARGE, "change", row.pk)):
        assert "<b>" not in client.get(address).text


def test_numbers_are_shown_as_they_are_stored(client):
    row = stored()
    numbers = '{"rate": 1.10, "large": 12345678901234567890123, "exact": 0.1000000000000000055511151231257827}'
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {CHARGE._meta.db_table} SET data = %s", [numbers])
    text = client.get(page(CHARGE, "change", row.pk)).text
    for number in ("1.10", "12345678901234567890123", "0.1000000000000000055511151231257827"):
        assert f": {number}" in text


def test_of_a_very_large_object_the_beginning_is_shown(client):
    row = stored(data={"items": ["x" * 1000] * (2 * JSON_LENGTH_MAX // 1000)})
    response = client.get(page(CHARGE, "change", row.pk))
    assert "Only the beginning" in response.text
    assert len(response.content) < 2 * JSON_LENGTH_MAX


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, {"b": None}], "c": {}, "d": [], "e": 'quo"te\\', "f": "br{a[c,e:", "g": True},
        [],
        "text",
        [[[["deep"]]]],
    ],
)
def test_indented_json_says_the_same(value):
    assert json.loads(indented(json.dumps(value))) == value
    assert indented(json.dumps(value)) == json.dumps(value, indent=2)


def test_json_that_is_deeper_or_cut_is_indented_all_the_same():
    depth = 10_000
    text = indented("[" * depth + '"cut')
    assert re.sub(r"\s", "", text) == "[" * depth + '"cut'
    assert len(text) < depth * 50


def test_the_list_shows_the_amount_the_state_and_what_is_odd_about_a_row(client):
    stored(
        data={"amount": 1234, "currency": "eur", "status": "succeeded"},
        deleted_at="2026-01-01T00:00Z",
        settle_at="2026-01-01T00:00Z",
    )
    text = client.get(page(CHARGE, "changelist")).text
    for shown in ("12.34 EUR", "succeeded", ">deleted</span>", ">unsettled</span>", ">test</span>"):
        assert shown in text


def test_a_row_without_an_amount_is_listed(client):
    stored()
    assert client.get(page(CHARGE, "changelist")).status_code == 200


@pytest.mark.parametrize(
    ("stripe_object", "fields", "address"),
    [
        ("charge", {"connect_account_id": "", "livemode": True}, "payments/ch_1"),
        ("charge", {"connect_account_id": ""}, "test/payments/ch_1"),
        ("charge", {"livemode": True}, "acct_1/payments/ch_1"),
        ("charge", {}, "acct_1/test/payments/ch_1"),
        ("charge", {"stripe_id": "../x?y"}, "acct_1/test/payments/..%2Fx%3Fy"),
        ("account", {"stripe_id": "acct_1"}, "test/connect/accounts/acct_1"),
        ("account", {"stripe_id": "acct_1", "livemode": True}, "connect/accounts/acct_1"),
        ("account", {"stripe_id": "acct_p", "connect_account_id": ""}, "acct_p/test/dashboard"),
    ],
)
def test_an_object_links_to_its_page_in_stripes_dashboard(client, stripe_object, fields, address):
    model = models_by_object()[stripe_object]
    row = stored(model, **fields)
    address = f"https://dashboard.stripe.com/{address}"
    assert dashboard_url(row) == address
    link = f'<a href="{address}" target="_blank" rel="noopener noreferrer">'
    assert link in client.get(page(model, "change", row.pk)).text


def test_an_object_without_a_page_in_the_dashboard_has_no_link(client):
    model = models_by_object()["balance_transaction"]
    row = stored(model, stripe_id="txn_1")
    assert "dashboard.stripe.com" not in client.get(page(model, "change", row.pk)).text


# A project's own


class StatusFilter(ChoiceFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request, model_admin):
        return [("paid", "Paid"), ("failed", "Failed")]


class OwnCharges(StripeObjectAdmin):
    list_display = ("stripe_id", "description", "shouted")
    list_filter = (*StripeObjectAdmin.list_filter, StatusFilter)
    list_reads = ("status",)
    fields = ("stripe_id", "amount")

    def shouted(self, row):
        return row.status.upper()


own_site = admin.AdminSite()
own_site.register(CHARGE, OwnCharges)
urlpatterns = [path("admin/", own_site.urls)]


@pytest.mark.urls(__name__)
def test_a_project_may_have_an_admin_of_its_own(client):
    row = stored(data={"description": "Tea", "status": "paid"})
    ((query,), _) = queries_of(client, CHARGE, page(CHARGE, "changelist") + "?status=paid")
    assert '"description"' in query
    text = client.get(page(CHARGE, "changelist")).text
    assert "Tea" in text
    assert "PAID" in text
    text = client.get(page(CHARGE, "change", row.pk)).text
    assert "field-amount" in text
    assert "field-pretty_data" not in text
