"""Owns how the shop's pages write money, and say how it went."""

from django import template

from django_stripe.currency import amount_text
from example_platform.shop.page import way

register = template.Library()

register.filter("way", way)


@register.filter
def money(amount_minor: int | None, currency: str | None) -> str:
    """``{{ charge.amount|money:charge.currency }}``: 12.34 USD, 1234 JPY, 1.234 KWD."""
    return "" if amount_minor is None else amount_text(amount_minor, currency)
