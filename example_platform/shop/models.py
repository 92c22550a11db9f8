"""Owns what the shop itself keeps, beside the mirror: what each merchant took in."""

from __future__ import annotations

from django.db import models
from django.db.models import F


class TakingsManager(models.Manager["Takings"]):
    def add(self, *, account: str, livemode: bool, currency: str, amount_minor: int) -> None:
        """Count one sale of a merchant. Twice would be one too many: see `stripe_handlers`."""
        takings, _ = self.get_or_create(
            connect_account_id=account, livemode=livemode, currency=currency
        )
        self.filter(connect_account_id=account, pk=takings.pk).update(
            sales=F("sales") + 1, amount_minor=F("amount_minor") + amount_minor
        )


class Takings(models.Model):
    """How much a merchant took in one currency, found by (`connect_account_id`, `livemode`, `currency`)."""

    connect_account_id = models.CharField("account", max_length=255)
    livemode = models.BooleanField("live mode")
    currency = models.CharField(max_length=3)
    sales = models.PositiveBigIntegerField(default=0)
    amount_minor = models.BigIntegerField(default=0)

    objects = TakingsManager()

    class Meta:
        app_label = "shop"
        verbose_name_plural = "takings"
        constraints = [
            models.UniqueConstraint(
                fields=("connect_account_id", "livemode", "currency"), name="shop_takings_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.connect_account_id} {self.currency}"
