"""Owns asking Stripe for the object that a thin event names, and what the event becomes with the answer.

Nothing is locked while Stripe is asked: the event is claimed by making it a failed one that is tried again after a
while, which a worker that is killed meanwhile leaves behind, and which nobody else takes up before.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

import stripe
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from connect.attempts import State, give_back
from connect.conf import webhook_secrets
from connect.context import account
from connect.router import is_heard_twice
from django_stripe.client import client_for, describe
from django_stripe.database import ALIAS, connection
from django_stripe.envelope import plain_text, read
from django_stripe.event import Event, is_deletion
from django_stripe.failure import where
from django_stripe.mirroring import Outcome, mirror, mirror_one
from django_stripe.platform import PLATFORM, account_of
from django_stripe.registry import model_for
from django_stripe.retrieval import answered, is_gone, retrieve, tombstone
from django_stripe.settling import lease
from django_stripe.snapshot import Key, Snapshot
from django_stripe.upsert import clock

logger = logging.getLogger(__name__)

CLAIMED: Final = "Stripe is being asked for its object; if that is cut short, it is asked again."

# After these the account may be out of reach, which is what they tell.
ENDS: Final = frozenset({"v2.core.account.closed"})

# A handler that failed is called again with the object that was retrieved then; whoever makes an event due from the
# start, which puts its attempts back to 0, has Stripe asked again.
CLAIM: Final = """
UPDATE connect_inboxevent
SET state = 'failed', next_attempt_at = now() + make_interval(secs => %s), error = %s,
    related = CASE WHEN attempts > 0 THEN related ELSE '' END
WHERE id = (
    SELECT id FROM connect_inboxevent
    WHERE id = %s AND (state IN ('received', 'mirrored')
        OR state = 'failed' AND coalesce(next_attempt_at, '-infinity') <= now())
    FOR UPDATE SKIP LOCKED
)
RETURNING next_attempt_at, related
"""

# Whoever took longer than his claim lasted has lost it.
RECORD: Final = """
UPDATE connect_inboxevent
SET state = %s, processed_at = CASE WHEN %s THEN now() END, next_attempt_at = NULL, error = '', related = %s,
    snapshot_event_id = CASE WHEN %s <> '' THEN %s ELSE snapshot_event_id END
WHERE id = %s AND state = 'failed' AND next_attempt_at = %s
"""


class Claim(NamedTuple):
    """An event that nobody else asks for until a time, which is also what tells this claim from a later one."""

    inbox_id: int
    until: datetime
    related: str
    """What Stripe answered at an earlier attempt, whose handlers failed."""


class Answer(NamedTuple):
    """What Stripe said."""

    snapshot: Snapshot | None = None
    """None: there is nothing to ask for, or nothing left."""
    twin: str = ""
    """The snapshot event of the same change, if there is one and it matters."""


def mirror_related(inbox_id: int, event: Event, *, done: bool) -> Outcome | None:
    """Ask Stripe for the object of a pending event, write its row, and in the same transaction how far it is.

    It is asked for in the account of the event, and written under it; but the account that a v2 event tells of in
    the platform's scope is a merchant's, and is written under its own id. There it is v1's form of the account
    that is asked for and that handlers are given: it is what is mirrored, and v2's is empty where it is not told
    what to include. An event that names no object, or one that cannot be fetched, takes no call.

    None: somebody else has it, or Stripe did not answer, which is recorded and tried again later.
    Raises UnknownAccount, PayloadRefused. https://docs.stripe.com/event-destinations#fetch-data
    """
    claim = _claim(inbox_id)
    if claim is None:
        return None
    answer = Answer()
    if not claim.related:
        try:
            with account(event.account):
                answer = _ask(event)
        except _Unanswered as problem:
            give_back(inbox_id, str(problem), retry=True)
            return None
    return _write(claim, answer, done=done)


class _Unanswered(Exception):
    """Stripe did not say what was asked; the message may be recorded."""


def _claim(inbox_id: int) -> Claim | None:
    with connection().cursor() as cursor:
        cursor.execute(CLAIM, [lease().total_seconds(), CLAIMED, inbox_id])
        row = cursor.fetchone()
    return Claim(inbox_id, *row) if row else None


def _write(claim: Claim, answer: Answer, *, done: bool) -> Outcome | None:
    state = State.PROCESSED if done else State.MIRRORED
    snapshot, twin = answer
    related = snapshot.payload if snapshot else claim.related
    with transaction.atomic(ALIAS), connection().cursor() as cursor:
        cursor.execute(RECORD, [state, done, related, twin, twin, claim.inbox_id, claim.until])
        if not cursor.rowcount:
            return None
        if snapshot is None:
            return Outcome()
        with account(account_of(snapshot.account)):
            return mirror_one(snapshot)


def _ask(event: Event) -> Answer:
    """Ask Stripe for what is not in the event. Raises _Unanswered, whatever the reason is."""
    try:
        notification = _notification(event)
        return Answer(_object(event, notification), _twin(event, notification))
    except stripe.StripeError as error:
        problem = describe(error)
    except ImproperlyConfigured as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - the event is claimed: it is to be told what went wrong with it
        logger.error("Could not ask Stripe about event %s: %s", event.id, where(error))
        problem = type(error).__name__
    what = f"{event.object_type} {event.object_id}".strip()
    raise _Unanswered(f"Stripe was asked for {what or event.id}: {problem}")


def _notification(event: Event) -> Any:
    """Return the event as the SDK reads it, bound to its context; None where it lacks what the SDK expects of its type.

    https://docs.stripe.com/context
    """
    client = client_for(livemode=event.livemode)
    _, envelope = read(event.body)
    # It insists on every field of a reason, which is not needed here.
    body = json.dumps(envelope | {"reason": None})
    try:
        return client.parse_event_notification_without_verification(body)
    except (KeyError, TypeError):
        return None


def _object(event: Event, notification: Any) -> Snapshot | None:
    # Where nothing is to be fetched, the class of its type has no such method.
    if not event.object or not hasattr(notification, "fetch_related_object"):
        return None
    try:
        snapshot = _retrieve(event, notification)
    except stripe.PermissionError:
        if event.type not in ENDS:
            raise
        return None
    if is_deletion(event.type.removeprefix("v1.")):
        # Answers may lag behind events, and nothing that was deleted comes back.
        return replace(snapshot, deleted=True)
    return snapshot


def _retrieve(event: Event, notification: Any) -> Snapshot:
    """Ask for the object: as its model does, so that all answers about it are alike; else by the address given."""
    key = _key(event)
    model = model_for(event.object_type) if event.object_id else None
    requested_at = clock()
    try:
        if model and model.stripe_sdk_name:
            return retrieve(model(connect_account_id=key[0], livemode=key[1], stripe_id=key[2]))
        found = notification.fetch_related_object()
        return answered(found, event.object_type, key, requested_at=requested_at)
    except stripe.InvalidRequestError as error:
        if not is_gone(error):
            raise
        return tombstone(event.object_type, key, error, requested_at=requested_at)


def _key(event: Event) -> Key:
    """Return what the row of the object is found by."""
    owner = event.connect_account_id
    if event.account is PLATFORM and event.object_type == "account":
        # The platform's own account, or a merchant's that is told of in the platform's scope.
        owner = "" if event.object_id == _platforms_id(event.livemode) else event.object_id
    return owner, event.livemode, event.object_id


def _platforms_id(livemode: bool) -> str:
    """Return the id of the platform's own account: from its row, which is retrieved where there is none yet."""
    model = model_for("account")
    assert model is not None  # noqa: S101 - an object is called so where it is installed
    row = model.objects.using(ALIAS).filter(connect_account_id="", livemode=livemode).first()
    if row is not None:
        return row.stripe_id
    own = retrieve(model(livemode=livemode))
    mirror([own])
    return own.stripe_id


def _twin(event: Event, notification: Any) -> str:
    """Return the id of the snapshot event of the same change; ``""``: there is none, or it could do nothing twice.

    Stripe documents it of the event that is fetched, and not of what is pushed (2026-11-24).
    https://docs.stripe.com/api/v2/core/events/object
    """
    _, envelope = read(event.body)
    pushed = plain_text(envelope.get("snapshot_event"))
    if pushed is not None:
        return pushed
    delivers = webhook_secrets("platform" if event.account is PLATFORM else "connect")
    if notification is None or not delivers or not is_heard_twice(event):
        return ""
    try:
        fetched = notification.fetch_event()
    except (stripe.PermissionError, stripe.InvalidRequestError) as error:
        # An account that has left takes its events along: handlers are to hear of it all the same.
        logger.warning("The twin of event %s is not known: %s", event.id, describe(error))
        return ""
    return plain_text(getattr(fetched, "snapshot_event", None)) or ""
