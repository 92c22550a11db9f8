"""Owns the admin of the inbox: what was delivered, how far it is, and the buttons that move it."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from connect.attempts import PENDING
from connect.conf import ENDPOINTS, THIN
from connect.models import InboxEvent
from connect.processing import process
from connect.replay import make_due
from django_stripe.common.admin import ReadOnlyAdmin, badge, stored_json
from django_stripe.common.changelist import (
    PLATFORM_VALUE,
    AccountFilter,
    ChoiceFilter,
    ModeFilter,
    chosen_account,
)
from django_stripe.registry import model_for

State = InboxEvent.State
PROCESSED_AT_ONCE_MAX: Final = 100
ERROR_LENGTH_MAX: Final = 80
KINDS: Final = {State.PROCESSED: "good", State.FAILED: "bad", State.PARKED: "warn"}


class StateFilter(ChoiceFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return State.choices


class EndpointFilter(ChoiceFilter):
    title = _("endpoint")
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(endpoint, endpoint) for endpoint in ENDPOINTS]


@admin.register(InboxEvent)
class InboxEventAdmin(ReadOnlyAdmin):
    """The inbox. Nothing in it is edited; who may change inbox events may have them processed again, or park them."""

    list_display = (
        "event_id",
        "state_badge",
        "type",
        "account_name",
        "mode_badge",
        "object_id",
        "received_at",
        "attempts",
        "error_start",
    )
    list_filter = (StateFilter, AccountFilter, ModeFilter, EndpointFilter)
    list_reads = ("state", "error")
    hidden = ("payload", "related")
    search_fields = ("event_id",)
    search_help_text = _(
        "The whole id of an event (evt_…) or of the object it is about, after you have chosen the account or the "
        "platform; or an account's id (acct_…) for all of its events."
    )
    fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": (
                    "event_id",
                    "state_badge",
                    "type",
                    "account_name",
                    "mode_badge",
                    "endpoint",
                    "object_type",
                    "object_link",
                    "created",
                    "api_version",
                )
            },
        ),
        (
            _("Processing"),
            {
                "fields": (
                    "received_at",
                    "processed_at",
                    "attempts",
                    "next_attempt_at",
                    "error",
                    "handled_by",
                )
            },
        ),
        (_("Payload"), {"fields": ("pretty_payload",)}),
    )
    thin_fieldset: ClassVar[Any] = (
        _("Thin event"),
        {"fields": ("snapshot_event_link", "pretty_related")},
    )
    actions = ("process_again", "park")

    def has_process_permission(self, request: HttpRequest) -> bool:
        # Not has_change_permission: nobody edits an event.
        return request.user.has_perm("connect.change_inboxevent")

    def get_fieldsets(self, request: HttpRequest, obj: InboxEvent | None = None) -> Any:
        is_thin = obj is not None and obj.endpoint == THIN
        return [*self.fieldsets, *([self.thin_fieldset] if is_thin else [])]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        account = chosen_account(request)
        if not term:
            return queryset, False
        if account is None:
            problem = _("Choose an account or the platform first: ids are indexed by account.")
            self.message_user(request, problem, messages.WARNING)
            return queryset.none(), False
        # Both modes are named because the indexes have the mode before the id.
        rows = queryset.filter(connect_account_id=account, livemode__in=(True, False))
        if term == account:
            return rows, False
        column = "event_id" if term.startswith("evt_") else "object_id"
        return rows.filter(**{column: term}), False

    @admin.action(
        description=_("Process again (handlers that are done with it are not called again)"),
        permissions=("process",),
    )
    def process_again(self, request: HttpRequest, queryset: QuerySet[InboxEvent]) -> None:
        """Make the chosen events due, oldest first, and process them; a worker takes up what is cut short."""
        chosen = queryset.exclude(state=State.IGNORED).order_by("id")
        ids = list(chosen.values_list("pk", flat=True)[:PROCESSED_AT_ONCE_MAX])
        make_due(ids, [state for state in State if state != State.IGNORED])
        for inbox_id in ids:
            process(inbox_id)
        events = InboxEvent.objects.filter(pk__in=ids)
        states = Counter(events.order_by().values_list("state", flat=True))
        for state, count in sorted(states.items()):
            text = ngettext(
                "%(count)d event is now %(state)s.", "%(count)d events are now %(state)s.", count
            ) % {"count": count, "state": State(state).label}
            done = state == State.PROCESSED
            self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)
        if not ids:
            self.message_user(request, _("Ignored events stay ignored."), messages.WARNING)

    @admin.action(
        description=_("Park (not processed until somebody says so)"), permissions=("process",)
    )
    def park(self, request: HttpRequest, queryset: QuerySet[InboxEvent]) -> None:
        """Set aside those of the chosen events that are not done, and say by whom."""
        reason = f"Parked by {request.user.get_username()}."
        pending = queryset.order_by().filter(state__in=PENDING)
        count = pending.update(state=State.PARKED, error=reason, next_attempt_at=None)
        text = ngettext("%(count)d event is now parked.", "%(count)d events are now parked.", count)
        self.message_user(
            request,
            text % {"count": count} if count else _("Only what is not done can be parked."),
            messages.SUCCESS if count else messages.WARNING,
        )

    @admin.display(description=_("state"))
    def state_badge(self, event: InboxEvent) -> SafeString:
        return badge(event.get_state_display(), KINDS.get(State(event.state), "plain"))

    @admin.display(description=_("error"))
    def error_start(self, event: InboxEvent) -> str:
        return Truncator(event.error).chars(ERROR_LENGTH_MAX)

    @admin.display(description=_("object"))
    def object_link(self, event: InboxEvent) -> SafeString | str:
        """Its row in the mirror, if its object is installed, mirrored and has an admin."""
        model = model_for(event.object_type)
        if model is None or not event.object_id:
            return event.object_id
        pk = model.objects.filter(
            connect_account_id=event.connect_account_id,
            livemode=event.livemode,
            stripe_id=event.object_id,
        ).values_list("pk", flat=True)
        page = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            address = reverse(page, args=[pk.get()], current_app=self.admin_site.name)
        except (model.DoesNotExist, NoReverseMatch):
            return event.object_id
        return format_html('<a href="{}">{}</a>', address, event.object_id)

    @admin.display(description="JSON")
    def pretty_payload(self, event: InboxEvent) -> SafeString:
        return stored_json(event, "payload")

    @admin.display(description=_("the object, as Stripe answered"))
    def pretty_related(self, event: InboxEvent) -> SafeString | str:
        if not event.related:
            return gettext("Stripe was not asked yet.")
        return stored_json(event, "related")

    @admin.display(description=_("snapshot event of the same change"))
    def snapshot_event_link(self, event: InboxEvent) -> SafeString | None:
        """Where it is found, if it was delivered too."""
        if not event.snapshot_event_id:
            return None
        account = event.connect_account_id or PLATFORM_VALUE
        found = {AccountFilter.parameter_name: account, SEARCH_VAR: event.snapshot_event_id}
        page = reverse("admin:connect_inboxevent_changelist", current_app=self.admin_site.name)
        return format_html(
            '<a href="{}?{}">{}</a>', page, urlencode(found), event.snapshot_event_id
        )
