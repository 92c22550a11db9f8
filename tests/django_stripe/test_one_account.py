"""A query says that it reads one account's rows of a table alone where that is so, and nowhere else."""

import pytest
from django.db.models import Count, Exists, OuterRef, Q

from connect import PLATFORM
from django_stripe.charge.models import Charge
from django_stripe.common.one_account import table_of_one_account
from django_stripe.customer.models import Customer

A = Charge.objects.for_account("acct_A")
NOT_A = A.all()
NOT_A.query.where.negate()
PAYERS = Customer.objects.for_account("acct_A").values("stripe_id")
SAME = Charge.objects.filter(stripe_id=OuterRef("stripe_id"))

ONE = {
    "alone": A,
    "demanded with more": A.filter(Q(status="failed") | Q(paid=True)).exclude(currency="usd"),
    "of values": A.values("currency").annotate(Count("pk")),
    "within another": Customer.objects.filter(stripe_id__in=A.values("customer")),
    "with others of another table": A.filter(customer__in=Customer.objects.values("stripe_id")),
    "in order": A.newest_first()[:50],
}
MORE = {
    "nothing said": Charge.objects.filter(connect_account_id="acct_A"),
    "of the platform, which others see too": Charge.objects.for_account(PLATFORM),
    "of a merchant": Charge.objects.for_merchant("acct_A"),
    "or others": A | Charge.objects.filter(on_behalf_of="acct_A"),
    "others, or": Charge.objects.filter(paid=True) | Charge.objects.filter(disputed=True) | A,
    "not these": Charge.objects.exclude(pk__in=A),
    "negated": Charge.objects.filter(~Q(*A.query.where.children)),
    "negated as a whole": NOT_A,
    "in one of two": A.union(Charge.objects.for_merchant("acct_A")),
    "and read again": A.filter(Exists(SAME)),
    "within a query of the same": Charge.objects.filter(stripe_id__in=A.values("stripe_id")),
    "and read again by SQL of one's own": A.extra(
        where=["id IN (SELECT max(id) FROM stripe_charge)"]
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_a_query_of_one_account_says_so(name):
    sql, _ = ONE[name].query.sql_with_params()
    assert table_of_one_account(sql) == "stripe_charge"
    assert table_of_one_account(f"EXPLAIN {sql}") == "stripe_charge"


@pytest.mark.parametrize("name", MORE)
def test_a_query_of_more_does_not(name):
    sql, _ = MORE[name].query.sql_with_params()
    assert "stripe_charge" in sql
    assert table_of_one_account(sql) == ""


def test_of_two_tables_it_is_said_of_the_first():
    sql, _ = A.filter(customer__in=PAYERS).query.sql_with_params()
    assert table_of_one_account(sql) == "stripe_charge"


def test_what_is_written_says_nothing():
    sql, _ = A.query.sql_with_params()
    assert table_of_one_account(sql.replace("SELECT", "DELETE")) == ""
    assert table_of_one_account("SELECT 1") == ""


@pytest.mark.django_db
def test_it_is_a_remark_and_finds_the_same_rows():
    for account in ("acct_A", "acct_B", ""):
        Charge.objects.create(stripe_id=f"ch_{account}", connect_account_id=account)
    assert A.get().stripe_id == "ch_acct_A"
    assert A.exists()
    assert A.aggregate(n=Count("pk")) == {"n": 1}
    assert A.update(origin="list") == 1
    assert A.delete()[0] == 1
    assert Charge.objects.count() == 2
