"""Metadata keys that a platform names: the queries that find by them."""

import pickle
import re

import pytest
from django.core.exceptions import FieldError
from django.db import ProgrammingError, connection, models
from django.db.models import Count, Exists, F, FilteredRelation, Max, OuterRef, Q
from django.db.models.lookups import Exact
from django.test.utils import isolate_apps

from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.metadata import MetadataKey, column_name
from django_stripe.mirroring import mirror
from tests.django_stripe.metadata.conftest import charge, ids, index_condition, indexes
from tests.tenants.rows import A, B, snapshot

pytestmark = pytest.mark.django_db


def test_accounts_with_one_value_are_kept_apart(orders):
    assert ids(Charge.objects.with_metadata(order_id="6735")) == {"ch_1", "ch_b"}
    assert ids(Charge.objects.for_account(A).with_metadata(order_id="6735")) == {"ch_1"}
    assert ids(Charge.objects.with_metadata(order_id="6735").for_account(B)) == {"ch_b"}


def test_no_key_at_all_is_an_error_and_never_all():
    for nothing in ([], [{}], [None]):
        with pytest.raises(ValueError, match="Name a metadata key"):
            Charge.objects.with_metadata(*nothing)


@pytest.mark.parametrize("value", [6735, None, True, F("stripe_id")])
def test_values_are_text(value):
    with pytest.raises(TypeError, match="give a str"):
        Charge.objects.with_metadata(order_id=value)


def test_all_keys_that_are_asked_for_count(add):
    add("order_id")
    add("Shop")
    charge("ch_1", order_id="1", Shop="Rome")
    charge("ch_2", order_id="1", Shop="Oslo")
    charge("ch_3", order_id="2", Shop="Rome")
    assert ids(Charge.objects.with_metadata({"Shop": "Rome"}, order_id="1")) == {"ch_1"}
    assert ids(Charge.objects.with_metadata({"Shop": "Rome", "order_id": "2"})) == {"ch_3"}
    assert not Charge.objects.with_metadata({"order_id": "1"}, order_id="2")


@pytest.mark.parametrize("key", ["order_id", "Größe 100%"])
def test_the_index_finds_account_and_value(add, key):
    add(key)
    rows = Charge.objects.for_account(A).with_metadata({key: "6735"})
    column = column_name(key)
    condition = index_condition(rows.order_by())
    assert "connect_account_id" in condition
    assert re.search(rf"\({column} = '6735'::text\)", condition)
    (index,) = (i for i in indexes().values() if column in i["columns"])
    assert index["columns"] == ["connect_account_id", column]


def test_the_index_has_the_rows_with_the_key_alone(add):
    add("order_id")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'stripe_charge_metadata_order_id'"
        )
        ((definition,),) = cursor.fetchall()
    assert definition.endswith("WHERE (metadata_order_id IS NOT NULL)")


def test_the_index_gives_the_order(add):
    add("order_id")
    key = MetadataKey("order_id")
    rows = Charge.objects.for_account(A).alias(order=key).filter(order__gt="1").order_by("order")
    assert "metadata_order_id > '1'" in index_condition(rows)
    assert "Sort" not in rows.explain()


def test_without_the_index_json_is_what_is_read(add):
    """What the index is compared with: the condition on `data` is looked up in none."""
    add("order_id")
    condition = index_condition(Charge.objects.for_account(A).filter(data__metadata__order_id="1"))
    assert "connect_account_id" in condition
    assert "metadata" not in condition


def test_rows_are_ordered_grouped_and_listed_by_it(orders):
    key = MetadataKey("order_id")
    own = Charge.objects.for_account(A)
    by_key = own.order_by(key.desc(nulls_last=True))
    assert [row.stripe_id for row in by_key] == ["ch_2", "ch_1", "ch_none"]
    assert set(own.values_list(key, flat=True)) == {"6735", "6736", None}
    assert list(own.with_metadata(order_id="6735").values(order=key)) == [{"order": "6735"}]
    counted = Charge.objects.order_by().values(order=key).annotate(n=Count("*"))
    assert {row["order"]: row["n"] for row in counted} == {"6735": 2, "6736": 1, None: 1}
    assert Charge.objects.aggregate(last=Max(key)) == {"last": "6736"}
    assert Charge.objects.order_by("stripe_id")[:1].aggregate(last=Max(key)) == {"last": "6735"}
    assert own.annotate(order=key).filter(order__startswith="673").count() == 2
    assert own.order_by().values(order=key).distinct().count() == 3


def test_two_keys_are_two_columns_of_one_query(add):
    add("a")
    add("b")
    charge("ch_1", a="1", b="2")
    a, b = MetadataKey("a"), MetadataKey("b")
    assert a == MetadataKey("a")
    assert a != b
    assert a != F("data")
    assert len({a, b, MetadataKey("a")}) == 2
    assert repr(a) == "MetadataKey('a' of data)"
    grouped = Charge.objects.order_by().values(x=a, y=b).annotate(n=Count("*"))
    assert list(grouped) == [{"x": "1", "y": "2", "n": 1}]
    assert list(Charge.objects.values_list(a, b, a)) == [("1", "2", "1")]


def test_queries_are_combined(orders):
    first = Charge.objects.with_metadata(order_id="6735")
    second = Charge.objects.with_metadata(order_id="6736")
    assert ids(first | second) == ids(first.union(second)) == {"ch_1", "ch_2", "ch_b"}
    assert ids(first & Charge.objects.for_account(A)) == {"ch_1"}
    assert ids(first.difference(first.for_account(B))) == {"ch_1"}
    values = first.values(o=MetadataKey("order_id")).union(second.values(o=MetadataKey("order_id")))
    assert list(values.order_by("-o")) == [{"o": "6736"}, {"o": "6735"}]


def test_it_is_excluded_where_the_key_is_there(orders):
    key = MetadataKey("order_id")
    own = Charge.objects.for_account(A)
    assert ids(own.exclude(Exact(key, "6735"))) == {"ch_2"}
    assert ids(own.alias(order=key).exclude(order="6735")) == {"ch_2"}
    without = own.exclude(pk__in=own.with_metadata(order_id="6735").values("pk"))
    assert ids(without) == {"ch_2", "ch_none"}


def test_it_is_found_in_a_subquery_about_the_same_table(orders):
    same = Charge.objects.exclude(connect_account_id=OuterRef("connect_account_id"))
    same = same.alias(order=MetadataKey("order_id")).filter(order=OuterRef("order"))
    shared = Charge.objects.alias(order=MetadataKey("order_id")).filter(Exists(same))
    assert ids(shared) == {"ch_1", "ch_b"}
    mirror([snapshot(A, "ch_1", stripe_object="customer")])
    found = Customer.objects.filter(
        stripe_id__in=Charge.objects.with_metadata(order_id="6735").values("stripe_id")
    )
    assert ids(found) == {"ch_1"}


def test_rows_are_changed_and_deleted_by_it(orders):
    found = Charge.objects.with_metadata(order_id="6735")
    assert found.update(origin="event") == 2
    assert ids(Charge.objects.filter(origin="event")) == {"ch_1", "ch_b"}
    assert found.for_account(A).delete()[0] == 1
    assert ids(Charge.objects.all()) == {"ch_2", "ch_none", "ch_b"}


def test_a_query_by_it_is_pickled(orders):
    rows = Charge.objects.with_metadata(order_id="6736").annotate(order=MetadataKey("order_id"))
    query = pickle.loads(pickle.dumps(rows.query))  # noqa: S301 - our own
    again = Charge.objects.all()
    again.query = query
    assert [row.order for row in again] == ["6736"]


def test_a_joined_object_is_named_by_its_relation(orders):
    with isolate_apps("tests.handlers"):

        class Parcel(models.Model):  # noqa: DJ008 - nobody reads it
            """A project's row that refers to a charge, and to another that may be missing."""

            charge = models.ForeignKey(
                Charge, models.DO_NOTHING, related_name="+", db_constraint=False
            )
            earlier = models.ForeignKey(
                Charge, models.DO_NOTHING, related_name="+", null=True, db_constraint=False
            )

            class Meta:
                app_label = "handlers"

    with connection.schema_editor() as editor:
        editor.create_model(Parcel)
    one, two = Charge.objects.get(stripe_id="ch_1"), Charge.objects.get(stripe_id="ch_2")
    first = Parcel.objects.create(charge=one)
    second = Parcel.objects.create(charge=two, earlier=one)
    its, earlier = (MetadataKey("order_id", relation=name) for name in ("charge", "earlier"))
    assert list(Parcel.objects.order_by(its).values_list(its, earlier)) == [
        ("6735", None),
        ("6736", "6735"),
    ]
    assert Parcel.objects.get(Exact(its, "6735")) == first
    assert Parcel.objects.get(Q(Exact(its, "6736")) & Q(Exact(earlier, "6735"))) == second
    grouped = Parcel.objects.values(order=its).annotate(n=Count("*")).order_by("order")
    assert [row["order"] for row in grouped] == ["6735", "6736"]
    filtered = FilteredRelation("earlier", condition=Q(earlier__stripe_id="ch_1"))
    known = Parcel.objects.annotate(known=filtered)
    assert known.get(Exact(MetadataKey("order_id", relation="known"), "6735")) == second


def test_what_is_no_field_has_no_metadata(orders):
    amounts = Charge.objects.annotate(charge__data=Max("amount"))
    with pytest.raises(FieldError, match="charge__data is not the data"):
        list(amounts.values(order=MetadataKey("order_id", relation="charge")))


def test_a_column_that_was_never_added_is_named():
    with pytest.raises(
        ProgrammingError, match=r"column stripe_charge.metadata_order_id does not exist"
    ):
        Charge.objects.with_metadata(order_id="1").exists()
