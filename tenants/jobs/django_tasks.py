"""Owns tasks of Django that carry their account: those of Django 6, or of the `django-tasks` package before."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from tenants.jobs import CARRIED, captured, entered
from tenants.provisioning import provision

try:
    from django.tasks import task
except ImportError:
    from django_tasks import task  # type: ignore[no-redef,unused-ignore]

Result = TypeVar("Result")


def in_account(function: Callable[..., Result]) -> Callable[..., Result]:
    """Have a task's function run in the context that `enqueue` was called in; put it below ``@task()``.

    Enqueued by its own method, a task carries nothing, and runs outside of any context.
    """

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Result:
        with entered(kwargs.pop(CARRIED, None)):
            return function(*args, **kwargs)

    return run


def enqueue(task: Any, *args: Any, **kwargs: Any) -> Any:
    """Enqueue a task whose function is `in_account`, with this context. Returns what its own method does.

    https://docs.djangoproject.com/en/6.0/topics/tasks/
    """
    return task.enqueue(*args, **kwargs, **{CARRIED: captured()})


@task()
def provision_merchant(connect_account_id: str, name: str = "") -> None:
    """Make the account a merchant: ``provision_merchant.enqueue("acct_…")``, in the view that connects it."""
    provision(connect_account_id, name=name)
