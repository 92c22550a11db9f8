"""Owns the admin of what Stripe told us: it reads, it never writes, and it never counts or scans a table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote, urlencode

from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet, TextField
from django.db.models.functions import Cast, Left
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_stripe.common import columns
from django_stripe.common.changelist import (
    PLATFORM_VALUE,
    AccountFilter,
    ModeFilter,
    UncountedChangeList,
    UncountedPaginator,
    chosen_account,
)
from django_stripe.common.models import AbstractStripeModel
from django_stripe.currency import amount_text

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

JSON_LENGTH_MAX: Final = 500_000
INDENTATIONS_MAX: Final = 20
COLUMNS_MAX: Final = 4
DASHBOARD: Final = "https://dashboard.stripe.com"
BASE_FIELDS: Final = frozenset(field.name for field in AbstractStripeModel._meta.fields) | {"id"}

JSON_PIECE: Final = re.compile(
    r'\{\s*\}|\[\s*\]|[{}\[\],:]|"[^"\\]*(?:\\.[^"\\]*)*"?|[^\s{}\[\],:"]+', re.DOTALL
)


def badge(text: object, kind: str = "plain") -> SafeString:
    """Return `text` in the colours of `kind`: plain, good, warn or bad."""
    return format_html('<span class="stripe-badge stripe-badge-{}">{}</span>', kind, text)


def indented(text: str) -> str:
    """Return JSON on lines of its own, each piece as it is written: a number is never read, so never rounded."""
    parts: list[str] = []
    depth = 0
    for piece in JSON_PIECE.findall(text):
        if piece in {"}", "]"}:
            depth -= 1
            parts.append(_new_line(depth))
        parts.append(piece)
        if piece == ":":
            parts.append(" ")
        elif piece in {"{", "[", ","}:
            depth += piece != ","
            parts.append(_new_line(depth))
    return "".join(parts)


def _new_line(depth: int) -> str:
    # Deeper than anybody reads, indentation would be most of the page.
    return "\n" + "  " * min(depth, INDENTATIONS_MAX)


def stored_json(row: Model, column: str) -> SafeString:
    """Return the JSON in `column` of `row`, from the database as text, for people to read."""
    text = Left(Cast(column, TextField()), JSON_LENGTH_MAX + 1)
    (stored,) = type(row)._default_manager.filter(pk=row.pk).values_list(text, flat=True)
    cut = len(stored) > JSON_LENGTH_MAX
    return format_html(
        '<div class="stripe-json">{}<pre tabindex="0">{}</pre></div>',
        format_html("<p>{}</p>", _("Only the beginning: it is too long for a page."))
        if cut
        else "",
        indented(stored[:JSON_LENGTH_MAX]),
    )


def dashboard_url(row: AbstractStripeModel) -> str | None:
    """Return the page of `row` in Stripe's dashboard, as the platform sees it; None if it has none.

    What is in a connected account is looked at from inside it; the account itself, from the platform.
    https://docs.stripe.com/connect/dashboard/managing-individual-accounts
    """
    if not row.dashboard_path:
        return None
    inside, page = row.connect_account_id, f"{row.dashboard_path}/{quote(row.stripe_id, safe='')}"
    if row.stripe_object == "account":
        # The platform is not among its own connected accounts.
        inside, page = ("", page) if inside else (row.stripe_id, "dashboard")
    parts = [DASHBOARD, quote(inside, safe=""), "" if row.livemode else "test", page]
    return "/".join(filter(None, parts))


class ReadOnlyAdmin(ModelAdmin):
    """The admin of rows that have an account and a mode, and that are never written by hand.

    Its lists are fast on any number of rows: no count, no sorting by click, no column that is not shown. Keep
    them so: name the columns that a method in `list_display` reads in `list_reads` (else each row costs a
    query), and filter by a subclass of `ChoiceFilter` (the name of a column would read the table for its values).
    """

    list_filter: ClassVar[Any] = (AccountFilter, ModeFilter)
    list_reads: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[tuple[str, ...]] = ()
    """Large columns, which are read for people only."""
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by: ClassVar[Any] = ()
    paginator = UncountedPaginator
    change_list_template = "admin/django_stripe/change_list.html"

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("django_stripe/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and not self.get_actions(request):
            raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.hidden)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-id",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow what a filter offers; Django allows any column, for which there may be no index."""
        offered = [f[0] if isinstance(f, tuple) else f for f in self.get_list_filter(request)]
        names = {f if isinstance(f, str) else getattr(f, "parameter_name", "") for f in offered}
        return lookup in names or lookup.partition("__")[0] in names

    def columns_read(self, request: HttpRequest) -> set[str]:
        """Return the columns that the list needs."""
        own = {field.name for field in self.opts.concrete_fields}
        shown = {name for name in self.get_list_display(request) if isinstance(name, str)}
        return (shown & own) | {"connect_account_id", "livemode", *self.list_reads}

    @admin.display(description=_("account"))
    def account_name(self, row: Any) -> SafeString:
        key = row.connect_account_id
        page = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
        rows = urlencode({AccountFilter.parameter_name: key or PLATFORM_VALUE})
        address = f"{reverse(page, current_app=self.admin_site.name)}?{rows}"
        return format_html('<a href="{}">{}</a>', address, key or _("platform"))

    @admin.display(description=_("mode"))
    def mode_badge(self, row: Any) -> SafeString:
        return badge(_("live"), "good") if row.livemode else badge(_("test"), "warn")


class StripeObjectAdmin(ReadOnlyAdmin):
    """The admin of any mirrored object. A subclass says in `listed` which of its derived columns the list has."""

    listed: ClassVar[tuple[str, ...]] = ()
    hidden = ("data",)
    search_fields = ("stripe_id",)
    search_help_text = _(
        "The whole id of an object, or an account's (acct_…) for everything in that account."
    )
    bookkeeping: ClassVar[tuple[str, ...]] = (
        "as_of",
        "origin",
        "event_id",
        "requested_at",
        "received_at",
        "deleted_at",
        "settle_at",
        "leans_on_prior",
        "created_at",
        "updated_at",
    )

    def get_list_display(self, request: HttpRequest) -> Any:
        if self.list_display != ("__str__",):
            return self.list_display
        amount = ["money"] if self._amount() else []
        own = self.listed or self._telling_columns()
        return ["stripe_id", "account_name", "mode_badge", *amount, *own, "created", "marks"]

    def columns_read(self, request: HttpRequest) -> set[str]:
        amount = self._amount()
        money = {amount, "currency"} if amount else set()
        return super().columns_read(request) | {"stripe_id", "deleted_at", "settle_at"} | money

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fieldsets or self.fields:
            return super().get_fieldsets(request, obj)
        amount = ["money"] if self._amount() else []
        top = ["stripe_id", "account_name", "mode_badge", *amount, "created", "marks"]
        derived = {
            "fields": [field.name for field in self._own_fields()],
            "description": _("Derived from the object; amounts are in the currency's minor unit."),
        }
        return [
            (None, {"fields": [*top, "dashboard_link"]}),
            (_("Columns"), derived),
            (_("Object"), {"fields": ["pretty_data"]}),
            (_("Bookkeeping"), {"fields": self.bookkeeping, "classes": ["collapse"]}),
        ]

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        if chosen_account(request) is None:
            return ("-id",)
        return ("-created", "stripe_id", "-id")  # its list index; the same id may be live and test

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        of_account = term.startswith("acct_") and self.model.stripe_object != "account"
        return queryset.filter(**{"connect_account_id" if of_account else "stripe_id": term}), False

    @admin.display(description=_("amount"))
    def money(self, row: Any) -> str | None:
        amount_minor = getattr(row, self._amount() or "")
        return None if amount_minor is None else amount_text(amount_minor, row.currency)

    @admin.display(description=_("marks"))
    def marks(self, row: AbstractStripeModel) -> SafeString:
        marks = []
        if row.deleted_at is not None:
            marks.append((badge(_("deleted"), "bad"),))
        if row.settle_at is not None:
            marks.append((badge(_("unsettled"), "warn"),))
        return format_html_join(" ", "{}", marks)

    @admin.display(description=_("Stripe's dashboard"))
    def dashboard_link(self, row: AbstractStripeModel) -> SafeString | None:
        address = dashboard_url(row)
        link = '<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>'
        return format_html(link, address) if address else None

    @admin.display(description="JSON")
    def pretty_data(self, row: AbstractStripeModel) -> SafeString:
        return stored_json(row, "data")

    def _own_fields(self) -> list[Any]:
        return [f for f in self.opts.concrete_fields if f.name not in BASE_FIELDS]

    def _amount(self) -> str | None:
        amounts = (f for f in self._own_fields() if isinstance(f, columns.Amount))
        return next((f.name for f in amounts if f.name.startswith("amount")), None)

    def _telling_columns(self) -> list[str]:
        """What it is at, whose it is, and what else is short enough to be read in a list."""
        short = [f.name for f in self._own_fields() if type(f) in {columns.Flag, columns.Text}]
        first = ["status"] if "status" in short else []
        names = dict.fromkeys([*first, *self.model.merchant_fields, *short])
        return [name for name in names if name != "currency"][:COLUMNS_MAX]
