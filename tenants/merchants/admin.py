"""Owns how staff see merchants: which there are, in which state, at which hosts."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from tenants.chosen import choose
from tenants.merchants.models import Domain, Merchant


class DomainInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Domain
    extra = 0


@admin.register(Merchant)
class MerchantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Merchants come and go by commands and jobs: here they are named, and given hosts."""

    list_display = ("__str__", "connect_account_id", "state", "created_at")
    list_filter = ("state",)
    search_fields = ("connect_account_id", "name")
    readonly_fields = ("connect_account_id", "schema_name", "state", "created_at", "retired_at")
    inlines = (DomainInline,)
    actions = ("look_at",)
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description=_("Look at this merchant's objects"), permissions=("view",))
    def look_at(self, request: HttpRequest, queryset: QuerySet[Merchant]) -> None:
        """Have the admin show the objects of one merchant, until another is chosen."""
        chosen = list(queryset[:2])
        if len(chosen) != 1 or chosen[0].state != Merchant.State.READY:
            self.message_user(request, _("Choose one merchant, which is ready."), messages.WARNING)
            return
        choose(request, chosen[0].connect_account_id)
        text = _("You look at the objects of %(merchant)s now.") % {"merchant": chosen[0]}
        self.message_user(request, text, messages.SUCCESS)
