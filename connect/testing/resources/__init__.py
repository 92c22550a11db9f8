"""Stripe's objects, one noun a file. Importing a file declares its routes; a new object is a new file here."""

from importlib import import_module
from pkgutil import iter_modules


def load() -> None:
    """Import every resource, so that all routes, views and jobs are declared."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
