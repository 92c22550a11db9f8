"""Owns the inbox: every event that Stripe delivered, kept as it was sent before anything is done with it."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from django_stripe.conf import mode_name


class OfAccount(models.Model):
    """What is of one account and one mode."""

    blank_account_is_platform = True

    connect_account_id = models.CharField(
        _("account"),
        max_length=255,
        default="",
        blank=True,
        help_text=_("Empty: the platform itself."),
    )
    livemode = models.BooleanField(_("live mode"))

    class Meta:
        abstract = True


class InboxEvent(OfAccount):
    """An event, found by (`connect_account_id`, `livemode`, `event_id`), and how far its processing is."""

    class State(models.TextChoices):
        RECEIVED = "received", _("received")
        MIRRORED = "mirrored", _("mirrored")
        PROCESSED = "processed", _("processed")
        FAILED = "failed", _("failed")
        PARKED = "parked", _("parked")
        IGNORED = "ignored", _("ignored")

    event_id = models.CharField(_("event id"), max_length=255)
    endpoint = models.CharField(
        max_length=16, help_text=_("Where it was delivered: platform, connect or thin.")
    )
    type = models.CharField(max_length=255)
    api_version = models.CharField(_("API version"), max_length=255, blank=True)
    object_type = models.CharField(
        max_length=255, blank=True, help_text=_("What it is about: charge, payout, …")
    )
    object_id = models.CharField(max_length=255, blank=True)
    created = models.DateTimeField(_("created at Stripe"))
    payload = models.TextField(help_text=_("The event as Stripe sent it."))
    related = models.TextField(
        blank=True,
        db_default="",
        help_text=_("The object that a thin event names, as Stripe answered."),
    )
    snapshot_event_id = models.CharField(
        max_length=255,
        blank=True,
        db_default="",
        help_text=_("The snapshot event that tells what a thin one does."),
    )

    state = models.CharField(max_length=9, choices=State.choices, default=State.RECEIVED)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("When a failed event is tried again. Empty: not before somebody says so."),
    )
    error = models.TextField(blank=True)
    handled_by = models.JSONField(
        default=list,
        blank=True,
        help_text=_("The handlers that are done with it, and are not called again."),
    )
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("inbox event")
        constraints = [
            models.UniqueConstraint(
                fields=("connect_account_id", "livemode", "event_id"), name="connect_inboxevent_key"
            ),
        ]
        indexes = [
            # What happened to an object, for the ordering rule.
            models.Index(
                fields=("connect_account_id", "livemode", "object_id", "created"),
                name="connect_inbox_object",
                condition=~models.Q(object_id=""),
            ),
            # What a lane has to do next, and which lanes have anything to do.
            models.Index(
                fields=("connect_account_id", "livemode", "state", "id"),
                name="connect_inbox_lane",
                condition=models.Q(state__in=("received", "mirrored")),
            ),
            models.Index(
                fields=("next_attempt_at",),
                name="connect_inbox_retry",
                condition=models.Q(state="failed", next_attempt_at__isnull=False),
            ),
            models.Index(
                fields=("connect_account_id", "livemode", "snapshot_event_id"),
                name="connect_inbox_twin",
                condition=~models.Q(snapshot_event_id=""),
            ),
            # What is not done, newest first, for whoever looks after it.
            models.Index(
                "state",
                models.F("id").desc(),
                name="connect_inbox_state",
                condition=~models.Q(state="processed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class Lane(OfAccount):
    """The events of one account and mode, which are worked in their order: by whoever has locked this row."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=("connect_account_id", "livemode"), name="connect_lane_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connect_account_id or 'platform'} ({mode_name(self.livemode)})"
