"""What holds for every mirrored object: a new one is picked up by itself, and needs no test of its own."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

import django_stripe
from django_stripe import Snapshot, mirror
from django_stripe.common.models import AbstractStripeModel
from django_stripe.registry import models_by_object

pytestmark = pytest.mark.django_db

MODELS = sorted(models_by_object().values(), key=lambda model: model.__name__)
every_object = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def official(shared):
    """The official fixture of each object, by Stripe's name of it."""
    return json.loads((shared / "fixtures/openapi/fixtures3.json").read_text())["resources"]


def value_of(model, **fields):
    return {"id": "obj_1", "object": model.stripe_object, "created": 1_700_000_000} | fields


def snapshot(model, value, *, account="acct_A", second=0, event="evt_1", **fields):
    """A state told by an event of the `second` after noon."""
    at = NOON + timedelta(seconds=second)
    return Snapshot(
        **{
            "object": model.stripe_object,
            "account": account,
            "livemode": False,
            "stripe_id": value["id"],
            "as_of": at,
            "origin": "event",
            "received_at": at,
            "payload": json.dumps(value),
            "event_id": event,
        }
        | fields
    )


def test_every_app_is_installed_by_its_list():
    assert {
        f"django_stripe.{config.module.__name__.split('.')[-1]}" for config in sub_apps()
    } == set(django_stripe.APPS)


def sub_apps():
    return [apps.get_app_config(model._meta.app_label) for model in MODELS]


@every_object
def test_label_table_and_folder_are_named_by_stripes_noun(model):
    module = model.stripe_object.replace(".", "_")
    assert model.__module__ == f"django_stripe.{module}.models"
    assert model._meta.app_label == model._meta.db_table == f"stripe_{module}"
    assert model.__name__ == "".join(part.title() for part in module.split("_"))


def test_migrations_are_current():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@every_object
def test_its_sdk_name_leads_to_a_method_that_retrieves(model):
    service = stripe.StripeClient("sk_test_x").v1
    for name in model.stripe_sdk_name.split("."):
        service = getattr(service, name)
    assert callable(service.retrieve)


@every_object
def test_the_official_fixture_comes_back_as_it_was(model, official):
    value = official[model.stripe_object]
    outcome = mirror([snapshot(model, value)])
    assert (outcome.written, outcome.refused) == (1, [])
    row = model.objects.get()
    assert row.data == value
    assert (
        row.created == datetime.fromtimestamp(value["created"], UTC)
        if value.get("created")
        else True
    )


@every_object
def test_every_column_reads_its_key_of_the_official_fixture(model, official):
    """A column that is null in every row would be a slip of the pen; the fixture has most keys, if not their values."""
    value = official[model.stripe_object]
    mirror([snapshot(model, value)])
    row = model.objects.get()
    for field in model._meta.get_fields():
        path = getattr(field, "path", None)
        if path is None:
            continue
        sent = value
        for key in path:
            sent = sent.get(key) if isinstance(sent, dict) else None
        read = getattr(row, field.name)
        if isinstance(sent, dict):
            sent = sent["id"]
        if isinstance(read, datetime):
            read = int(read.timestamp())
        assert read == sent, field.name


@every_object
def test_its_key_is_account_mode_and_id(model):
    same = value_of(model)
    places = [(a, m) for a in ("", "acct_A", "acct_B") for m in (True, False)]
    mirror(snapshot(model, same, account=a, livemode=m) for a, m in places)
    assert model.objects.count() == len(places)
    row = model.objects.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.create(
            connect_account_id=row.connect_account_id,
            livemode=row.livemode,
            stripe_id=row.stripe_id,
        )


@every_object
def test_a_replay_writes_nothing(model):
    told = snapshot(model, value_of(model))
    mirror([told])
    before = model.objects.values().get()
    outcome = mirror([told, told])
    assert (outcome.written, outcome.unchanged) == (0, 2)
    assert model.objects.values().get() == before


@every_object
def test_a_newer_state_wins_and_an_older_one_leaves_the_row_alone(model):
    mirror([snapshot(model, value_of(model, metadata={"n": "5"}), second=5, event="evt_5")])
    mirror([snapshot(model, value_of(model, metadata={"n": "3"}), second=3, event="evt_3")])
    assert model.objects.get().data["metadata"] == {"n": "5"}
    mirror([snapshot(model, value_of(model, metadata={"n": "7"}), second=7, event="evt_7")])
    assert model.objects.get().data["metadata"] == {"n": "7"}


@every_object
def test_a_tombstone_keeps_the_last_state_and_is_not_undone_by_an_older_one(model):
    mirror([snapshot(model, value_of(model, metadata={"n": "1"}))])
    stub = {"id": "obj_1", "object": model.stripe_object, "deleted": True}
    mirror([snapshot(model, stub, second=9, event="evt_9", deleted=True)])
    mirror([snapshot(model, value_of(model), second=4, event="evt_4")])
    row = model.objects.get()
    assert row.deleted_at == NOON + timedelta(seconds=9)
    assert row.data["metadata"] == {"n": "1"}
    assert not model.objects.alive().exists()


@every_object
def test_one_that_cannot_be_stored_costs_its_own_row(model):
    batch = [snapshot(model, value_of(model, id=f"obj_{n}")) for n in range(40)]
    bad = snapshot(model, value_of(model, id="obj_bad", metadata={"a": "\0"}))
    outcome = mirror([*batch[:17], bad, *batch[17:]])
    assert outcome.written == model.objects.count() == len(batch)
    (refusal,) = outcome.refused
    assert refusal.snapshot is bad
    assert "\\u0000" in refusal.reason


@every_object
def test_its_list_of_an_account_is_read_from_an_index(model):
    mirror(snapshot(model, value_of(model, id=f"obj_{n}", created=n)) for n in range(2000))
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")
    rows = model.objects.for_account("acct_A").newest_first()[:50]
    assert "Sort" not in rows.explain()
    assert f"st_{model._meta.model_name}_list" in rows.explain()
    assert [row.created.timestamp() for row in rows[:3]] == [1999, 1998, 1997]


@every_object
def test_it_is_in_the_admin(model, admin_client):
    row = model.objects.create(stripe_id="obj_1", connect_account_id="acct_A", data=value_of(model))
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@every_object
def test_a_merchant_is_named_by_columns_that_exist_and_have_an_index(model):
    for name in model.merchant_fields:
        assert model._meta.get_field(name)
        assert any(index.fields == ["connect_account_id", name] for index in model._meta.indexes), (
            name
        )


def test_without_a_name_in_the_sdk_it_cannot_be_retrieved():
    class Nameless(AbstractStripeModel):
        stripe_object = "nameless"

        class Meta:
            app_label = "nameless"
            abstract = False
            managed = False

    try:
        with pytest.raises(ValueError, match="stripe_sdk_name"):
            Nameless(stripe_id="x_1").retrieve_data_from_stripe()
    finally:
        del apps.all_models["nameless"]
        apps.clear_cache()
        models_by_object.cache_clear()
