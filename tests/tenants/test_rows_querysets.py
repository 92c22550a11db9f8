"""Whatever a queryset or a manager can do, as merchant A it finds and changes nothing of B's."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from django.db import Error, connection, models, transaction
from django.db.models import Count, Exists, OuterRef, Prefetch, Subquery, prefetch_related_objects
from django.test.utils import isolate_apps

import connect
from connect import PLATFORM
from connect.context import every_account
from connect.models import InboxEvent
from django_stripe.charge.models import Charge
from django_stripe.common.querysets import StripeManager, StripeQuerySet
from django_stripe.customer.models import Customer
from tests.tenants.metadata_columns import metadata_column
from tests.tenants.queryset_methods import INERT, READS, WRITES
from tests.tenants.rows import (
    OWN_OF_A,
    SEEN_BY_A,
    A,
    B,
    every_charge,
    everything,
    inbox_event,
    not_of,
)


@pytest.fixture(scope="module", autouse=True)
def shop_column(migrated, django_db_blocker):
    """What `with_metadata` is called with, in all tests of this module."""
    with django_db_blocker.unblock(), metadata_column(migrated, "shop"):
        yield


def public(kind):
    return {name for name in dir(kind) if not name.startswith("_")}


def outcome(says, expected):
    """Return what a method answers, or the class of what it raises if that is expected."""
    if isinstance(expected, type) and issubclass(expected, Exception):
        with pytest.raises(expected), transaction.atomic():
            says.call(Charge.objects.all())
        return expected
    return says.call(Charge.objects.all())


def test_every_method_of_a_queryset_is_classified():
    classified = READS.keys() | WRITES.keys() | INERT
    assert public(models.QuerySet) | public(StripeQuerySet) == classified
    assert not READS.keys() & WRITES.keys()


def test_a_manager_has_no_other_way_to_rows():
    assert public(StripeManager) - public(StripeQuerySet) == {
        "auto_created",
        "check",
        "contribute_to_class",
        "creation_counter",
        "db_manager",
        "deconstruct",
        "from_queryset",
        "get_queryset",
        "use_in_migrations",
    }


@pytest.mark.parametrize("in_transaction", [False, True], ids=["autocommit", "in a transaction"])
@pytest.mark.parametrize("name", sorted(READS | WRITES))
def test_a_method_finds_and_changes_nothing_of_others(serving, name, in_transaction):
    says = (READS | WRITES)[name]
    before = everything(serving.url)
    with transaction.atomic() if in_transaction else nullcontext():
        with connect.account(A):
            assert outcome(says, says.as_a) == says.as_a
        # In the same transaction as A's, and it leaves nothing behind.
        assert outcome(says, says.unset) == says.unset
    assert everything(serving.url) == before


@pytest.mark.parametrize("name", sorted(READS | WRITES))
def test_the_methods_would_find_and_change_them(serving, name):
    """What the tests above say is not there is there: with every account, the outcome is another."""
    says = (READS | WRITES)[name]
    before = everything(serving.url)
    with every_account():
        try:
            found = says.call(Charge.objects.all())
        except (Error, Charge.DoesNotExist) as error:
            found = type(error)
    says_the_same = {"live", "none", "unsettled"}
    assert found != says.as_a or everything(serving.url) != before or name in says_the_same


def test_every_manager_is_walled(serving):
    with connect.account(A):
        for manager in (Charge.objects, Charge._default_manager, Charge._base_manager):
            assert {charge.stripe_id for charge in manager.all()} == SEEN_BY_A
        assert InboxEvent.objects.count() == 1
        assert Customer.objects.get().stripe_id == "cus_a"


def test_the_platform_has_its_own_rows_and_no_others(serving):
    with connect.account(PLATFORM):
        assert set(Charge.objects.values_list("stripe_id", flat=True)) == {
            "ch_for_a",
            "ch_for_b",
            "ch_own",
        }
        assert Charge.objects.filter(stripe_id="ch_own").update(origin="taken") == 1


def test_what_the_platform_holds_for_a_merchant_is_seen_and_not_written(serving):
    before = not_of(A, everything(serving.url))
    with connect.account(A):
        assert set(Charge.objects.for_merchant(A).values_list("stripe_id", flat=True)) == SEEN_BY_A
        assert Charge.objects.filter(stripe_id="ch_for_a").update(origin="taken") == 0
        assert Charge.objects.filter(stripe_id="ch_for_a").delete()[0] == 0
        # Nor does anybody make theirs what is the platform's.
        with pytest.raises(Error, match="row-level security"):
            Charge.objects.create(stripe_id="ch_forged", data={"transfer_data": {"destination": A}})
    assert not_of(A, everything(serving.url)) == before


def test_related_lookups_and_subqueries_see_nothing_of_others(serving):
    same = Charge.objects.filter(stripe_id=OuterRef("stripe_id"), connect_account_id=B)
    with connect.account(A):
        assert not Charge.objects.annotate(of_b=Exists(same)).filter(of_b=True).exists()
        amounts = Charge.objects.annotate(of_b=Subquery(same.values("amount")[:1]))
        assert set(amounts.values_list("of_b", flat=True)) == {None}
        customers = Customer.objects.filter(
            stripe_id__in=Customer.objects.filter(connect_account_id=B).values("stripe_id")
        )
        assert not customers.exists()
        counts = Customer.objects.annotate(
            n=Subquery(
                Charge.objects.order_by().values("livemode").annotate(n=Count("*")).values("n")
            )
        )
        assert counts.get().n == len(SEEN_BY_A)


def test_foreign_keys_and_prefetches_see_nothing_of_others(serving):
    with isolate_apps("tests.handlers"):

        class Named(models.Model):  # noqa: DJ008 - nobody reads it
            """A project's row that refers to a charge; it needs no table for what it refers to to be looked up."""

            charge = models.ForeignKey(Charge, models.DO_NOTHING, null=True, related_name="+")

            class Meta:
                app_label = "handlers"

    with every_account():
        named = [Named(pk=charge.pk, charge_id=charge.pk) for charge in Charge.objects.all()]
    with connect.account(A):
        prefetch_related_objects(named, Prefetch("charge", queryset=Charge.objects.all()))
        found = {row.charge.stripe_id for row in named if row._state.fields_cache["charge"]}
    assert found == SEEN_BY_A


def test_a_unique_violation_tells_nothing_of_others(serving):
    def refused(**fields):
        with pytest.raises(Error) as caught, transaction.atomic():
            Charge.objects.bulk_create([Charge(**fields)])
        return str(caught.value), caught.value.__cause__.sqlstate

    with every_account():
        key = Charge.objects.filter(connect_account_id=B).earliest("pk").pk
    with connect.account(A):
        there = refused(connect_account_id=B, stripe_id="ch_b1")
        absent = refused(connect_account_id=B, stripe_id="ch_nowhere")
        assert there == absent
        # Counted keys are shared by all accounts, so nobody chooses one.
        taken = refused(pk=key, connect_account_id=A, stripe_id="ch_x")
        free = refused(pk=key + 1_000_000, connect_account_id=A, stripe_id="ch_x")
        assert taken == free
        assert taken[1] == "42501"
        # One's own are told of.
        assert refused(connect_account_id=A, stripe_id="ch_a1")[1] == "23505"
        with pytest.raises(Error, match="row-level security"), transaction.atomic():
            Charge.objects.filter(stripe_id="ch_a1").update(connect_account_id=B)
        assert {c.stripe_id for c in Charge.objects.filter(connect_account_id=A)} == OWN_OF_A


def test_a_conflict_with_a_row_of_others_does_not_touch_it(serving):
    before = everything(serving.url)
    with connect.account(A), pytest.raises(Error, match="row-level security"):
        Charge.objects.bulk_create(
            [Charge(connect_account_id=B, stripe_id="ch_b1", origin="taken")],
            update_conflicts=True,
            update_fields=["origin"],
            unique_fields=["connect_account_id", "livemode", "stripe_id"],
        )
    assert everything(serving.url) == before


def test_one_account_writes_its_own_rows(serving):
    with connect.account(A):
        Charge.objects.create(connect_account_id=A, stripe_id="ch_a3", data={"amount": 7})
        assert (
            Charge.objects.filter(connect_account_id=A).update(origin="event") == len(OWN_OF_A) + 1
        )
        assert Charge.objects.get(stripe_id="ch_a3").amount == 7
        assert Charge.objects.filter(stripe_id="ch_a3").delete()[0] == 1
        inbox_event(A, "evt_2").save(force_insert=True)
        # The key of an event may be taken in each account.
        assert InboxEvent.objects.filter(event_id="evt_both").count() == 1
    assert every_charge() == 9


def test_unset_reads_and_writes_nothing(serving):
    before = everything(serving.url)
    assert Charge.objects.count() == InboxEvent.objects.count() == Customer.objects.count() == 0
    assert Charge.objects.update(origin="taken") == 0
    assert Charge.objects.all().delete()[0] == 0
    with pytest.raises(Error, match="row-level security"):
        Charge.objects.create(connect_account_id=A, stripe_id="ch_new")
    with pytest.raises(Error, match="row-level security"):
        Charge.objects.create(stripe_id="ch_new")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM stripe_charge")
        assert cursor.fetchone() == (0,)
    assert everything(serving.url) == before
