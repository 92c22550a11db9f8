"""Metadata keys that a platform names: their columns, and the values in these."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_stripe.charge.models import Charge
from django_stripe.metadata import AddMetadataKey, MetadataKey, column_name
from django_stripe.mirroring import mirror
from tests.django_stripe.metadata.conftest import charge, columns, ids, indexes, remove
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
