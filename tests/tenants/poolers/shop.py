"""A site of eight merchants: what each has, and views that look for it in every way."""

from __future__ import annotations

from contextlib import closing, nullcontext
from dataclasses import replace
from functools import cache

import psycopg
from asgiref.sync import sync_to_async
from django.db import ProgrammingError, connection, transaction
from django.db.models import Count, Sum
from django.http import JsonResponse
from django.urls import path

import connect
from django_stripe.charge.models import Charge
from django_stripe.database import binary_cursor
from django_stripe.mirroring import mirror
from tests.tenants.rows import A, snapshot

MERCHANTS = [f"acct_Shop{number}" for number in range(1, 9)]
FIELDS = ("stripe_id", "connect_account_id", "amount")
TOTALS = {"number": Count("pk"), "total": Sum("amount")}
ALL = f"SELECT {', '.join(FIELDS)} FROM stripe_charge ORDER BY stripe_id, connect_account_id"
MARK = "UPDATE stripe_charge SET origin = %s WHERE stripe_id = 'ch_both'"


def charges_of(account):
    """Return the charges of a merchant, as the ways return them: each has another number, and one id that all have."""
    number = MERCHANTS.index(account) + 1
    own = [[f"ch_{number}_{i}", account, 100 * number + i] for i in range(number)]
    return [*own, ["ch_both", account, number]]


def fill():
    """Write the charges of all of them."""
    for account in MERCHANTS:
        charges = [snapshot(A, stripe_id, amount) for stripe_id, _, amount in charges_of(account)]
        with connect.account(account):
            mirror([replace(charge, account=account) for charge in charges])


def in_order():
    return Charge.objects.order_by("stripe_id", "connect_account_id").values_list(*FIELDS)


def by_orm():
    return list(in_order())


def by_cursor():
    with connection.cursor() as cursor:
        cursor.execute(ALL)
        return cursor.fetchall()


def by_iterator():
    return list(in_order().iterator(chunk_size=2))


def by_parameters_bound_by_the_server():
    with binary_cursor() as cursor:
        return cursor.execute(ALL).fetchall()


def by_copy():
    with connection.cursor() as cursor, cursor.copy(f"COPY ({ALL}) TO STDOUT") as copy:
        copy.set_types(["text", "text", "int8"])
        return list(copy.rows())


def in_transaction():
    with transaction.atomic():
        first = by_cursor()
        with transaction.atomic():
            assert by_orm() == first
        return first


def by_aggregate():
    return Charge.objects.aggregate(**TOTALS)


def by_executemany():
    """Return how many charges of the id that each merchant has were found, in two statements."""
    with connection.cursor() as cursor:
        cursor.executemany(MARK, [["list"], ["list"]])
        return cursor.rowcount


LISTING = [
    by_orm,
    by_cursor,
    by_iterator,
    by_parameters_bound_by_the_server,
    by_copy,
    in_transaction,
]
WAYS = [*LISTING, by_aggregate, by_executemany]
NOTHING = {"by_aggregate": {"number": 0, "total": None}, "by_executemany": 0}


@cache
def expected_of(account):
    """Return what each way is to find for `account`; "": outside of any."""
    if not account:
        return {way.__name__: [] for way in LISTING} | NOTHING
    charges = sorted(charges_of(account))
    total = sum(amount for *_, amount in charges)
    counted = {"by_aggregate": {"number": len(charges), "total": total}, "by_executemany": 2}
    return {way.__name__: charges for way in LISTING} | counted


def context_of(request):
    account = request.headers["Connect-Account"]
    return connect.account(account) if account else nullcontext()


def find(way):
    try:
        return way()
    except (ProgrammingError, psycopg.ProgrammingError):
        if connect.context.reach() is not None:
            raise
        return expected_of("")[way.__name__]  # with schemas: there is no table


def look(request):
    """Look in two of the ways, each time in others; say who answered."""
    if how := request.GET.get("break"):
        break_off(how)
    number = int(request.GET["number"])
    ways = [WAYS[number % len(WAYS)], WAYS[(number + 3) % len(WAYS)]]
    found = {way.__name__: find(way) for way in ways}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return {"found": found, "backend": cursor.fetchone()[0]}


def break_off(how):
    """Raise in the middle of a transaction: of our own accord, in the middle of a result, or what the database says."""
    with transaction.atomic():
        if how == "fail":
            by_cursor()
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM no_such_table")
        with closing(in_order().iterator(chunk_size=1)) as charges:
            next(charges)
            raise ZeroDivisionError


def sync(request):
    with context_of(request):
        return JsonResponse(look(request))


async def asynchronous(request):
    with context_of(request):
        answer = await sync_to_async(look)(request)
        if connect.context.reach() is not None:
            charges = in_order()
            answer["found"]["by_orm"] = [charge async for charge in charges]
            answer["found"]["by_aggregate"] = await charges.aaggregate(**TOTALS)
        return JsonResponse(answer)


urlpatterns = [path("sync/", sync), path("async/", asynchronous)]
