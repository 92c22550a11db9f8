"""Owns which of Stripe's objects are installed: its name of an object → the model that mirrors it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.apps import apps

if TYPE_CHECKING:
    from django_stripe.common.models import AbstractStripeModel


@cache
def models_by_object() -> dict[str, type[AbstractStripeModel]]:
    """Return every installed model by Stripe's name of its object: ``{"charge": Charge, …}``.

    A project's own proxies and children of a model are none: their rows are the model's.
    """
    from django_stripe.common.models import AbstractStripeModel  # noqa: PLC0415 - apps must be ready

    apps.check_models_ready()
    return {
        model.stripe_object: model
        for model in apps.get_models()
        if issubclass(model, AbstractStripeModel)
        and not model._meta.proxy
        and not model._meta.parents
    }


def model_for(stripe_object: str) -> type[AbstractStripeModel] | None:
    """Return the model that mirrors `stripe_object`, or None if none is installed."""
    return models_by_object().get(stripe_object)
