"""Owns asking Stripe for one object, in the account it lives in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import stripe

from django_stripe.client import client_for
from django_stripe.snapshot import Snapshot
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
    response = answer.last_response
    assert response is not None  # noqa: S101 - the SDK leaves it out of nested objects only
    body: str = response.body
    value: dict[str, Any] = json.loads(body)
    if row.stripe_id not in {"", value["id"]}:
        raise ValueError(
            f"Asked for {row.stripe_object} {row.stripe_id}, Stripe answered with {value['id']}. A connected "
            "account's row has its own id as connect_account_id; a blank one is the platform's."
        )
    return Snapshot(
        object=row.stripe_object,
        account=row.connect_account_id,
        livemode=row.livemode,
        stripe_id=value["id"],
        as_of=_date(response.headers),
        origin="retrieve",
        received_at=clock(),
        requested_at=requested_at,
        payload=body,
        deleted=bool(value.get("deleted")),
    )


def tombstone(
    row: AbstractStripeModel, error: stripe.InvalidRequestError, *, requested_at: datetime
) -> Snapshot:
    """Return what Stripe's answer that there is no such object means for `row`, which was there."""
    stub = {"id": row.stripe_id, "object": row.stripe_object, "deleted": True}
    return Snapshot(
        object=row.stripe_object,
        account=row.connect_account_id,
        livemode=row.livemode,
        stripe_id=row.stripe_id,
        as_of=_date(error.headers or {}),
        origin="retrieve",
        received_at=clock(),
        requested_at=requested_at,
        payload=json.dumps(stub),
        deleted=True,
    )


def _date(headers: Mapping[str, str]) -> datetime:
    """Return when Stripe answered, on Stripe's clock."""
    return parsedate_to_datetime(headers["Date"]).astimezone(UTC)
