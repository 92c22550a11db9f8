"""Facts: a mirror of Stripe's objects in PostgreSQL, keyed by account. Imports nothing else of this project."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from django_stripe.mirroring import mirror
    from django_stripe.snapshot import Snapshot

__all__ = ["APPS", "Snapshot", "mirror"]

APPS: Final = (
    "django_stripe.account",
    "django_stripe.application_fee",
    "django_stripe.balance_transaction",
    "django_stripe.charge",
    "django_stripe.checkout_session",
    "django_stripe.customer",
    "django_stripe.dispute",
    "django_stripe.payment_intent",
    "django_stripe.payout",
    "django_stripe.refund",
    "django_stripe.transfer",
)
"""Every object that can be mirrored, for ``INSTALLED_APPS``; or name there those you want."""


def __getattr__(name: str) -> Any:
    # Settings import this package for APPS, before anything of Django's may be touched.
    if name == "mirror":
        from django_stripe.mirroring import mirror  # noqa: PLC0415

        return mirror
    if name == "Snapshot":
        from django_stripe.snapshot import Snapshot  # noqa: PLC0415

        return Snapshot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
