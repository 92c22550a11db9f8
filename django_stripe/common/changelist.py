"""Owns the lists of the admin: pages without a count, one order, and filters that ask the table nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR, SEARCH_VAR, ChangeList
from django.core.paginator import EmptyPage, InvalidPage, Page, PageNotAnInteger, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stripe.common.admin import ReadOnlyAdmin

    Pages = Paginator[Any]
else:
    Pages = Paginator

PAGES_MAX: Final = 100
"""The rows of a page are found by walking past those of the pages before it."""
PLATFORM_VALUE: Final = "platform"


def chosen_account(request: HttpRequest) -> str | None:
    """Return the `connect_account_id` that the list is of, ``""`` for the platform; None if it is of all."""
    asked = request.GET.get(AccountFilter.parameter_name, "").strip()
    if not asked and request.GET.get(SEARCH_VAR, "").strip().startswith("acct_"):
        asked = request.GET[SEARCH_VAR].strip()
    return "" if asked == PLATFORM_VALUE else asked or None


class UncountedPaginator(Pages):
    """Pages of rows that nobody counts: it looks one row past the page that is asked for."""

    count = 0
    """How many rows are known of: up to the page's end, and the next one."""

    @property
    def num_pages(self) -> int:
        return min(max(1, -(-self.count // self.per_page)), PAGES_MAX)

    @property
    def goes_on(self) -> bool:
        """Whether there are rows after the last page that can be asked for."""
        return self.count > PAGES_MAX * self.per_page

    def validate_number(self, number: float | str) -> int:
        try:
            page = int(number)
        except ValueError:
            raise PageNotAnInteger(self.error_messages["invalid_page"]) from None
        if not 1 <= page <= PAGES_MAX:
            raise EmptyPage(self.error_messages["no_results"])
        return page

    def get_page(self, number: float | str | None) -> Page[Any]:
        try:
            return self.page(number or 1)
        except InvalidPage:
            return self.page(1)

    def page(self, number: float | str) -> Page[Any]:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        rows = list(self.object_list[start : start + self.per_page + 1])
        if not rows and number > 1:
            raise EmptyPage(self.error_messages["no_results"])
        self.count = start + len(rows)
        return Page(rows[: self.per_page], number, self)


class UncountedChangeList(ChangeList):
    """A list in the one order that has an index, of which only the page on view is read."""

    model_admin: ReadOnlyAdmin

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        # What the address asks for (?o=) would sort the table.
        return list(self.model_admin.get_ordering(request))

    def get_results(self, request: HttpRequest) -> None:
        rows = self.queryset.only(*self.model_admin.columns_read(request))
        self.paginator = self.model_admin.get_paginator(request, rows, self.list_per_page)
        try:
            self.page = self.paginator.page(self.page_num)
        except InvalidPage as error:
            raise IncorrectLookupParameters from error
        self.result_list = self.page.object_list
        # The templates compare and print these: no more than this page is known.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_full_result_count = self.can_show_all = False
        self.multi_page = self.page.has_other_pages()
        self.show_admin_actions = bool(self.result_list)

    def previous_url(self) -> str:
        return self.get_query_string({PAGE_VAR: self.page_num - 1})

    def next_url(self) -> str:
        return self.get_query_string({PAGE_VAR: self.page_num + 1})


class ChoiceFilter(admin.SimpleListFilter):
    """One of a few known values of the column `parameter_name`; nothing is asked of the table."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if value not in dict(self.lookup_choices):
            raise IncorrectLookupParameters
        return self.narrowed(queryset, value)

    def narrowed(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(**{self.parameter_name or "": value})


class ModeFilter(ChoiceFilter):
    title = _("mode")
    parameter_name = "mode"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("live", _("Live")), ("test", _("Test"))]

    def narrowed(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        return queryset.filter(livemode=value == "live")


class AccountFilter(admin.SimpleListFilter):
    """Any account, by its id: there may be thousands, so none are listed."""

    title = _("account")
    parameter_name: str = "account"
    template = "admin/django_stripe/account_filter.html"
    others: Iterable[tuple[str, str]] = ()
    """What else the list is narrowed by, for the form to keep."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(PLATFORM_VALUE, _("Platform"))]

    def value(self) -> str | None:
        return (super().value() or "").strip() or None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is None:
            return queryset
        if not value.isprintable():
            raise IncorrectLookupParameters
        return queryset.filter(connect_account_id="" if value == PLATFORM_VALUE else value)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        self.others = [pair for pair in changelist.params.items() if pair[0] != self.parameter_name]
        return super().choices(changelist)

    def typed(self) -> str:
        value = self.value()
        return "" if value in {None, PLATFORM_VALUE} else str(value)
