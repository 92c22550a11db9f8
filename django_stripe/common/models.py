"""Owns what every mirrored object has: its key, its JSON, its moment, and its one way in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import stripe
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_stripe.client import options
from django_stripe.common import columns
from django_stripe.common.querysets import StripeManager
from django_stripe.database import ALIAS
from django_stripe.entering import entered
from django_stripe.event import Event, as_event
from django_stripe.mirroring import mirror
from django_stripe.platform import account_of
from django_stripe.refusal import PayloadRefused
from django_stripe.retrieval import retrieve
from django_stripe.snapshot import Snapshot, event_snapshot
from django_stripe.upsert import clock

BEFORE_STRIPE = datetime(1970, 1, 1, tzinfo=UTC)
"""The `as_of` of a row that was not mirrored: whatever Stripe says is newer."""


def references(**columns_by_name: str) -> list[models.Index]:
    """Return an index for each column that refers to another object, of the rows that do.

    ``references(pi="payment_intent")``: the name is short, because that of an index has 30 characters.
    """
    return [
        models.Index(
            fields=("connect_account_id", column),
            name=f"st_%(class)s_{name}",
            condition=models.Q(**{f"{column}__isnull": False}),
        )
        for name, column in columns_by_name.items()
    ]


class AbstractStripeModel(models.Model):
    """A mirror of one kind of Stripe object, in `data` as Stripe sent it.

    A row is found by (`connect_account_id`, `livemode`, `stripe_id`): the same id may exist in several
    accounts, and live as well as test. All three are set when the row is written and never change.
    Everything is written by `django_stripe.mirror`; the other columns derive from `data`.
    """

    blank_account_is_platform: ClassVar = True
    stripe_object: ClassVar[str]
    """Stripe's name of the object: ``"checkout.session"``."""
    stripe_sdk_name: ClassVar[str | None] = None
    """Where the SDK has it, under ``client.v1``: ``"checkout.sessions"``."""
    dashboard_path: ClassVar[str | None] = None
    """Its page in Stripe's dashboard: ``"payments"``."""
    merchant_fields: ClassVar[tuple[str, ...]] = ()
    """Columns of a platform's row that name the merchant it is about."""

    connect_account_id = models.CharField(
        _("account"),
        max_length=255,
        default="",
        blank=True,
        help_text=_("Empty: the platform itself."),
    )
    livemode = models.BooleanField(_("live mode"), default=False)
    stripe_id = models.CharField(_("Stripe id"), max_length=255)
    data = models.JSONField(default=dict, help_text=_("The object as Stripe sent it."))
    created = columns.Moment("created", verbose_name=_("created at Stripe"))

    as_of = models.DateTimeField(
        default=BEFORE_STRIPE,
        help_text=_("When this was its state, on Stripe's clock, to the second."),
    )
    origin = models.CharField(
        max_length=8, blank=True, help_text=_("How we know: event, retrieve or list.")
    )
    event_id = models.CharField(
        max_length=255,
        blank=True,
        help_text=_("The event this state came with; empty: we asked for it."),
    )
    requested_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When we last asked Stripe and were answered.")
    )
    received_at = models.DateTimeField(db_default=Now(), help_text=_("When this state reached us."))
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When it was deleted at Stripe; the last state is kept.")
    )
    settle_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_(
            "From when Stripe is to be asked: events of one second do not tell which was the last."
        ),
    )
    decided_since = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("The first of the seconds over which it was decided; the last is as_of."),
    )
    leans_on_prior = models.BooleanField(
        default=False, help_text=_("An older event that arrives late may still change this state.")
    )
    created_at = models.DateTimeField(_("row created"), db_default=Now(), editable=False)
    updated_at = models.DateTimeField(_("row updated"), db_default=Now(), editable=False)

    objects = StripeManager()

    class Meta:
        abstract = True
        ordering = ("-created", "stripe_id")
        constraints = [
            models.UniqueConstraint(
                fields=("connect_account_id", "livemode", "stripe_id"), name="%(app_label)s_key"
            ),
        ]
        indexes = [
            models.Index(
                fields=("connect_account_id", "-created", "stripe_id"), name="st_%(class)s_list"
            ),
            models.Index(fields=("stripe_id",), name="st_%(class)s_id"),
            models.Index(
                fields=("settle_at",),
                name="st_%(class)s_settle",
                condition=models.Q(settle_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.stripe_id

    def process_data(self, event: Event | stripe.Event | Mapping[str, Any] | str | bytes) -> None:
        """Mirror the object that `event` carries, and be its row as it is then.

        The account and the mode come from the event's envelope. An older event leaves the row as it is.

        Raises InvalidEvent if it is no snapshot event, ValueError if it is about another row,
        PayloadRefused if PostgreSQL cannot store it. https://docs.stripe.com/api/events/object
        """
        event = as_event(event)
        snapshot = event_snapshot(event, received_at=clock())
        if event.object_type != self.stripe_object or self.stripe_id not in {
            "",
            snapshot.stripe_id,
        }:
            raise ValueError(
                f"Event {event.id} is about {event.object_type or 'an object'} {event.object_id!r}, "
                f"not about {self.stripe_object} {self.stripe_id!r}."
            )
        if self.pk and (self.connect_account_id, self.livemode) != snapshot.key[:2]:
            raise ValueError(
                f"Event {event.id} is of account {snapshot.account!r} (livemode {snapshot.livemode}), "
                f"{self.stripe_id} of {self.connect_account_id!r} (livemode {self.livemode})."
            )
        self._mirror(snapshot)

    def retrieve_data_from_stripe(self) -> dict[str, Any]:
        """Ask Stripe for the object in the account of this row, mirror the answer and return it.

        Outside of any account's context it enters this row's; in one, it stays there. Raises ValueError without
        `stripe_sdk_name`, and what the SDK raises (``stripe.StripeError``).
        https://docs.stripe.com/connect/authentication
        """
        with entered(self):
            snapshot = retrieve(self)
            self._mirror(snapshot)
        answer: dict[str, Any] = json.loads(snapshot.payload)
        return answer

    def ask_stripe(self, client: stripe.StripeClient) -> stripe.StripeObject:
        """Send the request that `retrieve_data_from_stripe` makes, in the account of this row."""
        service: Any = client.v1
        for name in (self.stripe_sdk_name or "").split("."):
            service = getattr(service, name)
        answer: stripe.StripeObject = service.retrieve(
            self.stripe_id, options=options(account_of(self.connect_account_id))
        )
        return answer

    def _mirror(self, snapshot: Snapshot) -> None:
        """Write `snapshot` like any other, and be its row."""
        outcome = mirror([snapshot])
        for refusal in outcome.refused:
            raise PayloadRefused(f"{self.stripe_object} {snapshot.stripe_id}: {refusal.reason}")
        account, livemode, stripe_id = snapshot.key
        rows = (
            type(self)
            .objects.using(ALIAS)
            .filter(connect_account_id=account, livemode=livemode, stripe_id=stripe_id)
        )
        self.pk = rows.values_list("pk", flat=True).get()
        self.refresh_from_db(using=ALIAS, from_queryset=rows)
        self._state.adding = False
