"""Owns a merchant's coming and going: the map, the schema, and the events that waited for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from connect.attempts import State
from connect.conf import processes_inline
from connect.context import every_account
from connect.draining import drain
from connect.lanes import LaneKey
from connect.models import InboxEvent
from connect.processing import UNKNOWN_ACCOUNT
from connect.replay import make_due
from django_stripe.database import ALIAS, connection
from django_stripe.platform import PLATFORM, Account, account_key, account_of
from django_stripe.registry import model_for
from tenants.conf import isolation
from tenants.names import schema_of

if TYPE_CHECKING:
    from tenants.merchants.models import Merchant

# Two jobs may provision the same merchant.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('tenants ' || %s, 0))"

# Whoever parks an event of a batch has its lane locked: what it parks is seen when it lets go.
LANES: Final = """
SELECT FROM connect_lane WHERE connect_account_id IN (%s, '') ORDER BY connect_account_id, livemode FOR UPDATE
"""

REPLAYED_AT_ONCE: Final = 1000


class InTransaction(RuntimeError):
    """A merchant is provisioned or dropped in a transaction of its own: in a job, not in a request or a handler."""


class NoMerchant(LookupError):
    """There is no merchant of this account."""


def provision(account: Account, *, name: str = "", domains: Iterable[str] = ()) -> Merchant:
    """Make `account` a merchant, or a retired one again, and process the events that waited for that.

    In one transaction, which takes some tenths of a second where merchants have schemas: so in a job, and as the role
    that owns the tables. It may be called again at any time, also while it runs. Killed, it leaves nothing behind.

    Raises UnsafeName for what is no account's id, InTransaction inside of a transaction.
    """
    from tenants.merchants.models import Domain, Merchant  # noqa: PLC0415 - an app that is not everybody's

    key = account_key(account)
    schema = schema_of(key)
    _refuse_transaction()
    with every_account(), transaction.atomic(ALIAS):
        with connection().cursor() as cursor:
            cursor.execute(LOCK, [key])
        merchants = Merchant.objects.using(ALIAS)
        found, _ = merchants.get_or_create(
            connect_account_id=key, defaults={"schema_name": schema, "name": name}
        )
        if isolation() == "schemas":
            from tenants.migrating import make_schema  # noqa: PLC0415 - needs django-tenants' backend

            make_schema(schema)
        merchant = cast("Merchant", found)
        merchant.state, merchant.retired_at = Merchant.State.READY, None
        merchant.name = name or merchant.name
        merchant.save(using=ALIAS)
        for domain in domains:
            Domain.objects.using(ALIAS).get_or_create(domain=domain.lower(), tenant=merchant)
    replay_parked(account_of(key))
    return merchant


def replay_parked(account: Account) -> int:
    """Process the events that were parked because `account` was no merchant; return how many."""
    key = account_key(account)
    lanes: set[LaneKey] = set()
    count = 0
    with every_account():
        while batch := _unpark(key):
            count += len(batch)
            lanes |= set(batch)
    if processes_inline():
        for lane in sorted(lanes):
            drain(lane)
    return count


def missing_accounts() -> list[str]:
    """Return the accounts that we know of, or have events of, and that are no merchants and have never been."""
    from tenants.merchants.models import Merchant  # noqa: PLC0415

    keys: set[str] = set()
    with every_account():
        parked = InboxEvent.objects.using(ALIAS).filter(state=State.PARKED, error=UNKNOWN_ACCOUNT)
        keys.update(parked.values_list("connect_account_id", flat=True).distinct())
        # v2 tells of a merchant's account in the platform's own scope.
        told = parked.filter(connect_account_id="", object_type="account")
        keys.update(told.values_list("object_id", flat=True).distinct())
        accounts = model_for("account")
        if accounts is not None:
            known = accounts.objects.using(ALIAS).alive()
            keys.update(known.values_list("connect_account_id", flat=True).distinct())
        known_merchants = Merchant.objects.using(ALIAS).filter(connect_account_id__in=keys)
        keys -= set(known_merchants.values_list("connect_account_id", flat=True))
    return sorted(keys - {""})


def retire(account: Account, *, at: datetime | None = None) -> Merchant:
    """Stop serving a merchant, and keep what it has: its context cannot be entered, and its events are parked.

    `provision` takes it back. May be called in the handler of ``account.application.deauthorized``.
    Raises NoMerchant. https://docs.stripe.com/connect/webhooks
    """
    from tenants.merchants.models import Merchant  # noqa: PLC0415

    key = account_key(account)
    if key == account_key(PLATFORM):
        raise ValueError("The platform is not retired: its own objects are there.")
    with every_account():
        found = Merchant.objects.using(ALIAS).filter(connect_account_id=key)
        found.filter(state=Merchant.State.READY).update(
            state=Merchant.State.RETIRED, retired_at=at or timezone.now()
        )
        merchant = cast("Merchant | None", found.first())
    if merchant is None:
        raise NoMerchant(
            f"There is no merchant of the account {key!r}. `manage.py tenants_provision {key}` makes one."
        )
    return merchant


def drop(account: Account) -> Merchant:
    """Retire a merchant, and drop its schema with all its rows. Raises NoMerchant, InTransaction.

    What the shared schema has of it stays: its account, and its events until they are too old.
    """
    if isolation() != "schemas":
        raise ValueError("Merchants have no schemas here: TENANTS_ISOLATION is not 'schemas'.")
    _refuse_transaction()
    merchant = retire(account)
    from tenants.migrating import drop_schema  # noqa: PLC0415

    with every_account(), transaction.atomic(ALIAS):
        with connection().cursor() as cursor:
            cursor.execute(LOCK, [merchant.connect_account_id])
        drop_schema(merchant.schema_name)
        merchant.state = type(merchant).State.DROPPED
        merchant.save(using=ALIAS, update_fields=["state"])
    return merchant


def _unpark(key: str) -> list[LaneKey]:
    """Make some parked events due; return the lane of each."""
    with transaction.atomic(ALIAS):
        with connection().cursor() as cursor:
            cursor.execute(LANES, [key])
        # v2 tells of a merchant's account in the platform's own scope.
        theirs = Q(connect_account_id=key) | Q(
            connect_account_id="", object_type="account", object_id=key
        )
        parked = InboxEvent.objects.using(ALIAS).filter(
            theirs, state=State.PARKED, error=UNKNOWN_ACCOUNT
        )
        rows = parked.order_by("id").values_list("id", "connect_account_id", "livemode")
        found = list(rows[:REPLAYED_AT_ONCE])
        make_due([inbox_id for inbox_id, *_ in found], [State.PARKED])
    return [LaneKey(account, livemode) for _, account, livemode in found]


def _refuse_transaction() -> None:
    try:
        with transaction.atomic(ALIAS, durable=True):
            pass
    except RuntimeError:
        raise InTransaction(
            "A transaction is open. A merchant is provisioned or dropped in one of its own: call it in a job, or run "
            "manage.py tenants_provision."
        ) from None
