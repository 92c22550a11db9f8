"""Owns the map of accounts to merchants, and of the hosts they are served at."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.names import PLATFORM_SCHEMA, schema_of

# django-tenants makes a foreign key of the first while it is imported, and says no more than AttributeError.
for _setting in ("TENANT_MODEL", "TENANT_DOMAIN_MODEL"):
    if not getattr(settings, _setting, None):
        raise ImproperlyConfigured(
            f"{_setting} is not set. With tenants.merchants in INSTALLED_APPS, set TENANT_MODEL = "
            "'merchants.Merchant' and TENANT_DOMAIN_MODEL = 'merchants.Domain'."
        )

from django_tenants.models import DomainMixin, TenantMixin  # noqa: E402 - not before the settings are there


class Merchant(TenantMixin):  # type: ignore[misc]
    """A connected account as a tenant; or the platform itself, whose `connect_account_id` is empty.

    Made by `tenants.provisioning.provision`, which makes its schema too: saving one makes a row and no more.
    """

    auto_create_schema = False
    auto_drop_schema = False

    class State(models.TextChoices):
        READY = "ready", _("ready")
        RETIRED = "retired", _("retired")
        DROPPED = "dropped", _("dropped")

    connect_account_id = models.CharField(
        _("account"),
        max_length=63,
        unique=True,
        blank=True,
        help_text=_("Empty: the platform itself."),
    )
    name = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.READY)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        db_table = "tenants_merchant"
        verbose_name = _("merchant")
        constraints = [
            # Whose schema it is can be told from its name, and never changes hands.
            models.CheckConstraint(
                condition=Q(schema_name=F("connect_account_id"), connect_account_id__gt="")
                | Q(connect_account_id="", schema_name=PLATFORM_SCHEMA),
                name="tenants_merchant_schema",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.connect_account_id or "platform"

    @property
    def blank_account_is_platform(self) -> bool:
        """Whether an empty account is meant: a merchant that has none yet is not the platform."""
        return bool(self.schema_name == PLATFORM_SCHEMA)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row, named by its account. Raises UnsafeName for what is no account's id."""
        if self.connect_account_id:
            self.schema_name = schema_of(self.connect_account_id)
        super().save(*args, **kwargs)


class Domain(DomainMixin):  # type: ignore[misc]
    """A host that a merchant is served at: ``acme.example.com``, without a port."""

    class Meta:
        db_table = "tenants_domain"
        verbose_name = _("domain")
