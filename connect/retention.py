"""Owns how long events are kept: at least as long as Stripe may deliver them again."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from connect.conf import RETENTION_DAYS_MIN, retention_days
from connect.context import every_account
from django_stripe.database import ALIAS, connection

BATCH_EVENTS: Final = 1000

# Ids were given in the order of receiving: the scan ends at the first page that is not old.
PAGE: Final = """
SELECT max(id), bool_and(received_at < now() - make_interval(days => %(days)s)) FROM (
    SELECT id, received_at FROM connect_inboxevent WHERE id > %(after)s ORDER BY id LIMIT %(limit)s
) AS page
"""

DELETE: Final = """
DELETE FROM connect_inboxevent
WHERE id > %(after)s AND id <= %(last)s AND state IN ('processed', 'ignored')
    AND received_at < now() - make_interval(days => %(days)s)
"""


@every_account()
def prune(days: int | None = None) -> int:
    """Delete, by batches, events that are done and older than `days`; return how many.

    `days` left out is ``CONNECT_INBOX_RETENTION_DAYS``. What failed or is parked stays: somebody has to look at
    it. Raises ValueError for fewer than 30 days, within which Stripe can deliver an event again. https://docs.stripe.com/webhooks#event-delivery-behaviors
    """
    days = retention_days() if days is None else days
    if days < RETENTION_DAYS_MIN:
        raise ValueError(
            f"Events are kept for {RETENTION_DAYS_MIN} days at least, not {days}: so long Stripe can send them again."
        )
    deleted: int = 0
    after = 0
    is_old = True
    while is_old:
        with transaction.atomic(ALIAS), connection().cursor() as cursor:
            cursor.execute(PAGE, {"days": days, "after": after, "limit": BATCH_EVENTS})
            last, is_old = cursor.fetchone()
            cursor.execute(DELETE, {"days": days, "after": after, "last": last})
            deleted += cursor.rowcount
        after = last
    return deleted
