"""Owns how rows are chosen by account, mode and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Self, TypeVar

from django.db import models
from django.db.models import Q

from django_stripe import metadata
from django_stripe.platform import PLATFORM, Account, account_key

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel

Row_co = TypeVar("Row_co", bound="AbstractStripeModel", covariant=True)


class StripeQuerySet(models.QuerySet[Row_co]):
    """Rows of one Stripe object. Every query of a request should name its account."""

    def for_account(self, account: Account) -> Self:
        """Rows that live in `account`: an id, ``PLATFORM``, an ``Account`` row or a tenant."""
        return self.filter(connect_account_id=account_key(account))

    def for_merchant(self, account: Account) -> Self:
        """Rows that the merchant would call theirs.

        Those in their account, and those on the platform that name it: where the money of a destination
        charge goes, on whose behalf it was taken, a transfer's destination, an application fee's account.
        https://docs.stripe.com/connect/charges
        """
        key = account_key(account)
        named = Q()
        if key:
            for field in self.model.merchant_fields:
                named |= Q(connect_account_id=account_key(PLATFORM), **{field: key})
        return self.filter(Q(connect_account_id=key) | named)

    def platform(self) -> Self:
        """Rows of the platform itself."""
        return self.for_account(PLATFORM)

    def live(self) -> Self:
        return self.filter(livemode=True)

    def test(self) -> Self:
        return self.filter(livemode=False)

    def alive(self) -> Self:
        """Rows that are not deleted at Stripe."""
        return self.filter(deleted_at=None)

    def unsettled(self) -> Self:
        """Rows whose last state the events do not tell: Stripe is to be asked once."""
        return self.filter(settle_at__isnull=False)

    def created_between(self, start: datetime, end: datetime) -> Self:
        """Rows created at Stripe from `start` up to, not including, `end`; both aware."""
        return self.filter(created__gte=start, created__lt=end)

    def with_metadata(self, values: Mapping[str, str] | None = None, /, **more: str) -> Self:
        """Rows whose metadata has these values: ``order_id="6735"``, or ``{"Order-Id": "6735"}``.

        Each key needs `metadata.AddMetadataKey` in a migration of yours; without it PostgreSQL says that the column
        does not exist. Raises ValueError if no key is asked for, TypeError for a value that is no text.
        https://docs.stripe.com/metadata
        """
        if not (values or more):
            raise ValueError("Name a metadata key and its value: with_metadata(order_id='6735').")
        return self.filter(*metadata.equal(values or {}), *metadata.equal(more))

    def newest_first(self) -> Self:
        """In the order of Stripe's lists, which the index of every table has within an account."""
        return self.order_by("-created", "stripe_id")


StripeManager = models.Manager.from_queryset(StripeQuerySet)
