"""Every public method of a queryset, each with what it is to say and do behind the wall."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import django
from asgiref.sync import async_to_sync, sync_to_async
from django.db import ProgrammingError, models, transaction
from django.db.models import Count, F, Max, Q, Sum, Value

from connect.context import every_account
from django_stripe.charge.models import Charge
from tests.tenants.rows import BEGAN, OWN_OF_A, SEEN_BY_A, A, B

DoesNotExist = Charge.DoesNotExist
NOBODY: frozenset[str] = frozenset()
FAR = datetime(2100, 1, 1, tzinfo=UTC)
DAY = date(2023, 11, 14)

# They send nothing to the database.
INERT = {"as_manager", "db", "ordered", "query", "resolve_expression"}


@dataclass(frozen=True)
class Says:
    """What a method answers in the context of A, and outside of any."""

    call: Callable[[Any], Any]
    as_a: Any
    unset: Any


def ids(rows: Any) -> set[str]:
    return {row.stripe_id for row in rows}


def builds(call: Callable[[Any], Any], seen: Any = SEEN_BY_A) -> Says:
    """A method that returns a queryset: what is in it."""
    return Says(lambda charges: ids(call(charges)), set(seen), set())


async def collect(rows: Any) -> set[str]:
    return {row.stripe_id async for row in rows}


def theirs(**fields: Any) -> Charge:
    """A row that would be B's."""
    return Charge(connect_account_id=B, stripe_id="ch_new", data={"id": "ch_new"}, **fields)


def row_of_b() -> int:
    with every_account():
        return Charge.objects.get(connect_account_id=B, stripe_id="ch_b1").pk


def locked(charges: Any) -> set[str]:
    with transaction.atomic():
        return ids(charges.select_for_update())


async def contains_that_of_b(charges: Any) -> bool:
    row = theirs(pk=await sync_to_async(row_of_b)())
    return await charges.acontains(row)


async def bulk_update_that_of_b(charges: Any) -> int:
    row = theirs(pk=await sync_to_async(row_of_b)())
    return await charges.abulk_update([row], ["origin"])


def explained(plan: str) -> int:
    """Return how many rows a plan found; how many it left out it says too, which no policy can prevent."""
    return int(json.loads(plan)[0]["Plan"]["Actual Rows"])


def in_async(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def wait(charges: Any) -> Any:
        return await call(charges)

    return async_to_sync(wait)


READS = {
    "aggregate": Says(
        lambda c: c.aggregate(n=Count("*"), most=Max("amount"), all=Sum("amount")),
        {"n": 4, "most": 10, "all": 16},
        {"n": 0, "most": None, "all": None},
    ),
    "alias": builds(lambda c: c.alias(twice=F("amount") * 2).filter(twice__gt=0)),
    "all": builds(lambda c: c.all()),
    "annotate": Says(
        lambda c: set(
            c.order_by()
            .values("connect_account_id")
            .annotate(n=Count("*"))
            .values_list("n", "connect_account_id")
        ),
        {(3, A), (1, "")},
        set(),
    ),
    "complex_filter": builds(lambda c: c.complex_filter(Q(amount__gte=0))),
    "contains": Says(lambda c: c.contains(Charge(pk=row_of_b())), False, False),
    "count": Says(lambda c: c.count(), 4, 0),
    "dates": Says(lambda c: list(c.dates("as_of", "day")), [DAY], []),
    "datetimes": Says(lambda c: list(c.datetimes("created", "second")), [BEGAN], []),
    "defer": builds(lambda c: c.defer("data")),
    "difference": builds(lambda c: c.difference(c.filter(amount=10)), OWN_OF_A),
    "distinct": builds(lambda c: c.order_by("stripe_id").distinct("stripe_id")),
    "earliest": Says(
        lambda c: c.exclude(connect_account_id=A).earliest("pk").stripe_id, "ch_for_a", DoesNotExist
    ),
    "exclude": builds(lambda c: c.exclude(connect_account_id=A), {"ch_for_a"}),
    "exists": Says(lambda c: c.filter(connect_account_id=B).exists(), False, False),
    "explain": Says(lambda c: explained(c.explain(analyze=True, format="json")), 4, 0),
    "extra": builds(lambda c: c.extra(where=["amount >= %s OR true"], params=[0])),
    "filter": builds(lambda c: c.filter(Q(connect_account_id=B) | Q(amount__gte=0))),
    "first": Says(lambda c: c.filter(connect_account_id=B).first(), None, None),
    "get": Says(
        lambda c: c.get(connect_account_id=B, stripe_id="ch_b1"), DoesNotExist, DoesNotExist
    ),
    "in_bulk": Says(lambda c: ids(c.in_bulk().values()), SEEN_BY_A, set()),
    "intersection": builds(lambda c: c.intersection(c.filter(amount__gt=0))),
    "iterator": builds(lambda c: c.iterator(chunk_size=2)),
    "last": Says(lambda c: c.order_by("amount").last().amount, 10, AttributeError),
    "latest": Says(lambda c: c.latest("amount").amount, 10, DoesNotExist),
    "none": builds(lambda c: c.none(), NOBODY),
    "only": builds(lambda c: c.only("stripe_id")),
    "order_by": builds(lambda c: c.order_by("-amount")),
    "prefetch_related": builds(lambda c: c.prefetch_related(None)),
    "raw": builds(
        lambda c: c.raw("SELECT * FROM stripe_charge WHERE connect_account_id = %s OR true", [B])
    ),
    "reverse": builds(lambda c: c.reverse()),
    # Locking a row is for those who may write it.
    "select_for_update": Says(locked, OWN_OF_A, set()),
    "select_related": builds(lambda c: c.select_related(None)),
    "union": builds(lambda c: c.union(c.filter(connect_account_id=B), all=True)),
    "using": builds(lambda c: c.using("default")),
    "values": Says(lambda c: {row["stripe_id"] for row in c.values()}, SEEN_BY_A, set()),
    "values_list": Says(lambda c: set(c.values_list("stripe_id", flat=True)), SEEN_BY_A, set()),
    # The mirror's own.
    "alive": builds(lambda c: c.alive()),
    "created_between": builds(lambda c: c.created_between(BEGAN, FAR)),
    "for_account": builds(lambda c: c.for_account(B), NOBODY),
    "for_merchant": builds(lambda c: c.for_merchant(A) | c.for_merchant(B)),
    "live": builds(lambda c: c.live(), NOBODY),
    "newest_first": builds(lambda c: c.newest_first()),
    "platform": builds(lambda c: c.platform(), {"ch_for_a"}),
    "test": builds(lambda c: c.test()),
    "unsettled": builds(lambda c: c.unsettled(), NOBODY),
    "with_metadata": builds(lambda c: c.with_metadata(shop="all")),
    # As coroutines.
    "aaggregate": Says(
        in_async(lambda c: c.aaggregate(most=Max("amount"))), {"most": 10}, {"most": None}
    ),
    "acontains": Says(in_async(contains_that_of_b), False, False),
    "acount": Says(in_async(lambda c: c.acount()), 4, 0),
    "aearliest": Says(
        in_async(lambda c: c.filter(connect_account_id=B).aearliest("pk")),
        DoesNotExist,
        DoesNotExist,
    ),
    "aexists": Says(in_async(lambda c: c.filter(connect_account_id=B).aexists()), False, False),
    "aexplain": Says(
        lambda c: explained(in_async(lambda d: d.aexplain(analyze=True, format="json"))(c)), 4, 0
    ),
    "afirst": Says(in_async(lambda c: c.filter(connect_account_id=B).afirst()), None, None),
    "aget": Says(
        in_async(lambda c: c.aget(connect_account_id=B, stripe_id="ch_b1")),
        DoesNotExist,
        DoesNotExist,
    ),
    "ain_bulk": Says(lambda c: ids(in_async(lambda d: d.ain_bulk())(c).values()), SEEN_BY_A, set()),
    "aiterator": Says(in_async(lambda c: collect(c.aiterator(chunk_size=2))), SEEN_BY_A, set()),
    "alast": Says(in_async(lambda c: c.filter(connect_account_id=B).alast()), None, None),
    "alatest": Says(
        in_async(lambda c: c.filter(connect_account_id=B).alatest("pk")), DoesNotExist, DoesNotExist
    ),
}

if django.VERSION >= (6, 1):
    INERT |= {"totally_ordered"}
    # What was deferred is fetched for all rows by one query more.
    READS["fetch_mode"] = builds(lambda c: c.only("pk").fetch_mode(models.FETCH_PEERS))

# Each tries to write what is B's, or everybody's. What is refused raises; the rest finds nothing to write.
WRITES = {
    "bulk_create": Says(lambda c: c.bulk_create([theirs()]), ProgrammingError, ProgrammingError),
    "bulk_update": Says(lambda c: c.bulk_update([theirs(pk=row_of_b())], ["origin"]), 0, 0),
    "create": Says(
        lambda c: c.create(connect_account_id=B, stripe_id="n"), ProgrammingError, ProgrammingError
    ),
    "delete": Says(lambda c: c.filter(connect_account_id=B).delete()[0], 0, 0),
    "get_or_create": Says(
        lambda c: c.get_or_create(connect_account_id=B, stripe_id="ch_b1"),
        ProgrammingError,
        ProgrammingError,
    ),
    "update": Says(lambda c: c.exclude(connect_account_id=A).update(origin=Value("taken")), 0, 0),
    "update_or_create": Says(
        lambda c: c.update_or_create(
            connect_account_id=B, stripe_id="ch_b1", defaults={"origin": "taken"}
        ),
        ProgrammingError,
        ProgrammingError,
    ),
    "abulk_create": Says(
        in_async(lambda c: c.abulk_create([theirs()])), ProgrammingError, ProgrammingError
    ),
    "abulk_update": Says(in_async(bulk_update_that_of_b), 0, 0),
    "acreate": Says(
        in_async(lambda c: c.acreate(connect_account_id=B)), ProgrammingError, ProgrammingError
    ),
    "adelete": Says(
        lambda c: in_async(lambda d: d.filter(connect_account_id=B).adelete())(c)[0], 0, 0
    ),
    "aget_or_create": Says(
        in_async(lambda c: c.aget_or_create(connect_account_id=B, stripe_id="ch_b1")),
        ProgrammingError,
        ProgrammingError,
    ),
    "aupdate": Says(
        in_async(lambda c: c.exclude(connect_account_id=A).aupdate(origin="taken")), 0, 0
    ),
    "aupdate_or_create": Says(
        in_async(lambda c: c.aupdate_or_create(connect_account_id=B, stripe_id="ch_b1")),
        ProgrammingError,
        ProgrammingError,
    ),
}
