"""Owns Celery tasks that carry their account: ``Celery(task_cls="tenants.jobs.celery:AccountTask")``."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task

from tenants.jobs import CARRIED, captured, entered
from tenants.provisioning import provision


class AccountTask(Task):  # type: ignore[misc, unused-ignore]
    """A task that runs in the account context that it was sent from, also where it is retried.

    Sent outside of any (by beat, say), it runs outside of any.
    https://docs.celeryq.dev/en/stable/userguide/tasks.html#custom-task-classes
    """

    abstract = True

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        headers = {**(options.pop("headers", None) or {}), CARRIED: captured()}
        return super().apply_async(args, kwargs, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Called as a function, it has no headers: it runs where it is called.
        with entered(self._carried()):
            return super().__call__(*args, **kwargs)

    def _carried(self) -> Any:
        headers = getattr(self.request, "headers", None) or {}
        return headers.get(CARRIED, getattr(self.request, CARRIED, None))


@shared_task(name="tenants.provision", ignore_result=True)
def provision_merchant(connect_account_id: str, name: str = "") -> None:
    """Make the account a merchant: ``provision_merchant.delay("acct_…")``, in the view that connects it."""
    provision(connect_account_id, name=name)
