"""Metadata keys that a platform names: their columns, and the queries that find by them."""

import pickle
import re

import pytest
from django.core.exceptions import FieldError
from django.db import ProgrammingError, connection, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.writer import MigrationWriter
from django.db.models import Count, Exists, F, FilteredRelation, Max, OuterRef, Q
from django.db.models.lookups import Exact
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from django_stripe.metadata import AddMetadataKey, MetadataKey, column_name
from django_stripe.mirroring import mirror
from tests.tenants.rows import A, B, snapshot

pytestmark = pytest.mark.django_db

STRANGE = [
    "Order-Id",
    "order id",
    "100% of %s and %(this)s",
    'it\'s "quoted"',
    'a","b"}',
    "back\\slash, {brace}",
    "Größe ☃",
    "ключ" * 10,
    "k" * 40,
    "0",
    "_order",
    "select",
    " ",
]
NO_KEYS = ["", "k" * 41, "a[b", "a]b", "nul\0"]


@pytest.fixture(scope="module")
def state():
    return MigrationLoader(None).project_state([("stripe_charge", "0001_initial")])


@pytest.fixture
def add(db, state):
    """Add the column of a key of charges; return its operation."""

    def add(key):
        operation = AddMetadataKey("stripe_charge", "Charge", key)
        with connection.schema_editor() as editor:
            operation.database_forwards("shop", editor, state, state)
        return operation

    return add


def remove(operation, state):
    with connection.schema_editor() as editor:
        operation.database_backwards("shop", editor, state, state)


def charge(stripe_id, account=A, **metadata):
    mirror([snapshot(account, stripe_id, metadata=metadata)])


def ids(rows):
    return {row.stripe_id for row in rows}


def columns():
    with connection.cursor() as cursor:
        return {
            c.name for c in connection.introspection.get_table_description(cursor, "stripe_charge")
        }


def indexes():
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, "stripe_charge")


def index_condition(rows):
    """Return the condition that the plan of `rows` looks up in an index."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    return " ".join(re.findall("Index Cond: (.*)", rows.explain()))


@pytest.fixture
def orders(add):
    """Charges of two orders, of A and of B, and one of none."""
    add("order_id")
    charge("ch_1", order_id="6735")
    charge("ch_2", order_id="6736")
    charge("ch_none")
    charge("ch_b", B, order_id="6735")


def test_the_column_has_the_value_of_rows_from_before_and_after(add):
    charge("ch_before", order_id="1")
    charge("ch_without")
    add("order_id")
    charge("ch_after", order_id="2")
    charge("ch_changed", order_id="3")
    mirror([snapshot(B, "ch_changed", metadata={"order_id": "not this account's"})])
    values = Charge.objects.filter(connect_account_id=A).values_list(
        "stripe_id", MetadataKey("order_id")
    )
    assert dict(values) == {
        "ch_before": "1",
        "ch_without": None,
        "ch_after": "2",
        "ch_changed": "3",
    }


def test_a_later_state_changes_the_column(add):
    add("order_id")
    charge("ch_1", order_id="1")
    row = Charge.objects.get()
    row.data["metadata"]["order_id"] = "2"
    row.save()
    assert not Charge.objects.with_metadata(order_id="1")
    assert Charge.objects.with_metadata(order_id="2").get() == row


def test_accounts_with_one_value_are_kept_apart(orders):
    assert ids(Charge.objects.with_metadata(order_id="6735")) == {"ch_1", "ch_b"}
    assert ids(Charge.objects.for_account(A).with_metadata(order_id="6735")) == {"ch_1"}
    assert ids(Charge.objects.with_metadata(order_id="6735").for_account(B)) == {"ch_b"}


@pytest.mark.parametrize("key", STRANGE)
def test_any_key_of_stripes_has_a_column_that_comes_and_goes(add, state, key):
    before = columns()
    charge("ch_before", **{key: 'it\'s 100% "so"'})
    charge("ch_other", **{key + "x" if len(key) < 40 else "x": 'it\'s 100% "so"'})
    operation = add(key)
    charge("ch_after", **{key: 'it\'s 100% "so"'})
    assert columns() - before == {column_name(key)}
    assert ids(Charge.objects.with_metadata({key: 'it\'s 100% "so"'})) == {"ch_before", "ch_after"}
    assert not Charge.objects.with_metadata({key: "%"})
    remove(operation, state)
    assert columns() == before
    assert not [name for name in indexes() if "metadata" in name]


def test_keys_that_look_alike_have_columns_of_their_own(add):
    alike = ["order_id", "Order_Id", "order-id", "order id", "_order_id", "ORDER_ID", "order_id_"]
    for number, key in enumerate(alike):
        add(key)
        charge(f"ch_{number}", **{key: "1"})
    for number, key in enumerate(alike):
        assert ids(Charge.objects.with_metadata({key: "1"})) == {f"ch_{number}"}


def test_a_plain_key_gives_a_plain_name():
    assert column_name("order_id") == "metadata_order_id"
    assert column_name("Order-Id") == "metadata__order_id_5fa00b23"
    assert column_name("ключ") == "metadata__1de36a32"


@given(st.text(st.characters(codec="utf-8", exclude_characters="[]\0"), min_size=1, max_size=40))
def test_a_name_says_which_key_it_is_of_and_fits(key):
    name = column_name(key)
    assert re.fullmatch("metadata_[a-z0-9_]+", name)
    assert len(name) <= 59
    assert (name == f"metadata_{key}") == bool(re.fullmatch("[a-z0-9][a-z0-9_]*", key))
    # What looks like the name of a strange key is another one's.
    tail = name.removeprefix("metadata_")
    assert key == tail or len(tail) > 40 or column_name(tail) != name


@pytest.mark.parametrize("key", NO_KEYS)
def test_what_is_no_key_is_refused(key):
    refused = [
        lambda: AddMetadataKey("stripe_charge", "Charge", key),
        lambda: MetadataKey(key),
        lambda: Charge.objects.with_metadata({key: "x"}),
    ]
    for refuse in refused:
        with pytest.raises(ValueError, match="is no metadata key"):
            refuse()


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


def test_the_migration_has_to_come_after_the_objects(state):
    operation = AddMetadataKey("stripe_nowhere", "Nothing", "order_id")
    with (
        connection.schema_editor() as editor,
        pytest.raises(LookupError, match="depend on its first"),
    ):
        operation.database_forwards("shop", editor, state, state)


def test_no_model_changes(add, state):
    before = state.clone()
    operation = add("order_id")
    operation.state_forwards("shop", state)
    assert state == before
    model = state.apps.get_model("stripe_charge", "Charge")
    assert {f.name for f in model._meta.fields} == {f.name for f in Charge._meta.fields}


def test_the_operation_is_written_as_it_was_given():
    operation = AddMetadataKey("stripe_charge", "Charge", 'a "strange" key')
    migration = Migration("0002_orders", "shop")
    migration.operations = [operation]
    written = {}
    exec(MigrationWriter(migration).as_string(), written)  # noqa: S102 - our own
    (again,) = written["Migration"].operations
    assert (again.object_app, again.object_name, again.key) == operation.deconstruct()[1]
    assert again.describe().endswith("metadata key 'a \"strange\" key' of stripe_charge.Charge")
    assert again.migration_name_fragment == f"charge_{column_name(operation.key)}"
    assert again.reversible


class Elsewhere:
    """A router that has the tables of charges in another database."""

    def allow_migrate(self, db, app_label, **hints):
        return app_label != "stripe_charge"


def test_it_is_done_where_the_table_is(add, state, settings):
    operation = add("here")
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]
    before = columns()
    add("order_id")
    remove(operation, state)
    assert columns() == before
