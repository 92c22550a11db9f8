"""Wake-ups: a job of any scheduler drains the lane, and one that cannot be sent loses nothing."""

import os
import subprocess
import sys
from importlib import import_module

import pytest
from celery import Celery
from procrastinate import App, testing
from procrastinate.contrib.django import procrastinate_app

from connect.models import InboxEvent
from connect.worker import Worker
from django_stripe.customer.models import Customer
from tests.conftest import customer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def by_a_worker(settings):
    settings.CONNECT_PROCESSING = "worker"


def states():
    return list(InboxEvent.objects.order_by("id").values_list("state", flat=True))


def test_a_task_of_django_drains_the_lane(deliver, settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}}
    settings.CONNECT_WAKE_UP = "connect.wake_ups.django_tasks.wake_up"
    deliver("customer.created", customer())
    assert states() == ["processed"]
    assert Customer.objects.count() == 1


def test_a_task_of_celery_drains_the_lane(deliver, settings):
    app = Celery("tests", set_as_current=True, broker="memory://")
    app.conf.task_always_eager = True
    settings.CONNECT_WAKE_UP = "connect.wake_ups.celery.wake_up"
    deliver("customer.created", customer())
    assert states() == ["processed"]


@pytest.fixture
def procrastinate(monkeypatch):
    """Procrastinate with its queue in memory, and what its Django app does when it is ready."""
    app = App(connector=testing.InMemoryConnector())
    import_module("connect.wake_ups.procrastinate")
    app.add_tasks_from(procrastinate_app.current_app, namespace="")
    monkeypatch.setattr(procrastinate_app, "current_app", app)
    return app


def test_a_job_of_procrastinate_drains_the_lane_and_waits_once(deliver, settings, procrastinate):
    settings.CONNECT_WAKE_UP = "connect.wake_ups.procrastinate.wake_up"
    with procrastinate.open():
        deliver("customer.created", customer())
        deliver("customer.created", customer("cus_2"))
        deliver("customer.created", customer(), account="acct_B")
        jobs = [job["args"] for job in procrastinate.connector.jobs.values()]
        assert [job["connect_account_id"] for job in jobs] == ["acct_A", "acct_B"]
        assert states() == ["received"] * 3
        for job in jobs:
            procrastinate.tasks["connect.drain_lane"](**job)
    assert states() == ["processed"] * 3


@pytest.mark.parametrize("path", ["connect.no_such.wake_up", "connect.wake_ups.celery"])
def test_one_that_cannot_be_called_loses_nothing(deliver, settings, caplog, path):
    settings.CONNECT_WAKE_UP = path
    deliver("customer.created", customer())
    assert "CONNECT_WAKE_UP failed for event evt_000001" in caplog.text
    assert states() == ["received"]
    Worker().run_once()
    assert states() == ["processed"]


def test_without_one_nothing_of_it_is_imported():
    code = "import sys, connect.wake_ups; print({'celery', 'procrastinate', 'django_tasks'} & set(sys.modules))"
    setup = "import django; django.setup(); "
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run(
        [sys.executable, "-c", setup + code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"
