"""Owns asking Stripe for one object, in the account it lives in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import stripe

from django_stripe.client import client_for
from django_stripe.snapshot import Key, Snapshot
from django_stripe.upsert import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django_stripe.common.models import AbstractStripeModel


def retrieve(row: AbstractStripeModel) -> Snapshot:
    """Ask Stripe for the object of `row` in its account, and return the answer.

    Raises ValueError without `stripe_sdk_name`, and what the SDK raises (``stripe.StripeError``).
    """
    if not row.stripe_sdk_name:
        raise ValueError(
            f"{type(row).__name__} cannot be retrieved from Stripe: it defines no stripe_sdk_name, the "
            'name under which the SDK has it, such as "checkout.sessions".'
        )
    requested_at = clock()
    answer = row.ask_stripe(client_for(livemode=row.livemode))
    return answered(answer, row.stripe_object, key_of(row), requested_at=requested_at)


def answered(
    answer: stripe.StripeObject, stripe_object: str, key: Key, *, requested_at: datetime
) -> Snapshot:
    """Return what Stripe answered when it was asked for one object; the id in `key` may be left out.

    Raises ValueError if the answer is about another one.
    """
    account, livemode, stripe_id = key
    response = answer.last_response
    assert response is not None  # noqa: S101 - the SDK leaves it out of nested objects only
    body: str = response.body
    value: dict[str, Any] = json.loads(body)
    found = value.get("id", "")  # a balance has none
    if stripe_id not in {"", found}:
        raise ValueError(
            f"Asked for {stripe_object} {stripe_id}, Stripe answered with {found}. A connected "
            "account's row has its own id as connect_account_id; a blank one is the platform's."
        )
    return Snapshot(
        object=stripe_object,
        account=account,
        livemode=livemode,
        stripe_id=found,
        as_of=_date(response.headers),
        origin="retrieve",
        received_at=clock(),
        requested_at=requested_at,
        payload=body,
        deleted=bool(value.get("deleted")),
    )


def is_gone(error: stripe.StripeError) -> bool:
    """Say whether Stripe answered that there is no such object, in the words of v1 or of v2."""
    return error.http_status == 404 and error.code in {"resource_missing", "not_found"}


def tombstone(
    stripe_object: str, key: Key, error: stripe.StripeError, *, requested_at: datetime
) -> Snapshot:
    """Return what Stripe's answer that there is no such object means for one that was there."""
    account, livemode, stripe_id = key
    return Snapshot(
        object=stripe_object,
        account=account,
        livemode=livemode,
        stripe_id=stripe_id,
        as_of=_date(error.headers or {}),
        origin="retrieve",
        received_at=clock(),
        requested_at=requested_at,
        payload=json.dumps({"id": stripe_id, "object": stripe_object, "deleted": True}),
        deleted=True,
    )


def key_of(row: AbstractStripeModel) -> Key:
    """Return what `row` is found by."""
    return (row.connect_account_id, row.livemode, row.stripe_id)


def _date(headers: Mapping[str, str]) -> datetime:
    """Return when Stripe answered, on Stripe's clock."""
    return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
