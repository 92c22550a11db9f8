"""A job runs in the account that it was enqueued in, and what is cached for one merchant is that one's."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from django.core.cache import caches

import connect
from connect.context import UnknownAccount, every_account, reach
from django_stripe.charge.models import Charge
from django_stripe.platform import PLATFORM
from tenants.caching import make_key, reverse_key
from tenants.jobs import UnknownReach, entered
from tenants.jobs.celery import AccountTask
from tenants.jobs.celery import provision_merchant as celery_provision
from tenants.jobs.django_tasks import enqueue, in_account, task
from tenants.jobs.django_tasks import provision_merchant as django_provision
from tenants.merchants.models import Merchant
from tests.tenants.rows import A, B
from tests.tenants.schemas.conftest import OWN

NEW = "acct_1NEW"
FOUND = []


def look(name="ran"):
    FOUND.append((name, reach(), Charge.objects.count() if isinstance(reach(), str) else None))


@task()
@in_account
def look_by_django(name):
    look(name)


@pytest.fixture(autouse=True)
def found(placed, settings):
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}
    FOUND.clear()
    return FOUND


@pytest.fixture
def celery():
    app = Celery(
        "tests",
        set_as_current=False,
        broker="memory://",
        task_cls=AccountTask,
        backend="cache+memory://",
    )
    app.conf.worker_hijack_root_logger = False
    app.conf.broker_transport_options = {"polling_interval": 0.01}
    return app


def test_a_task_of_celery_is_in_the_account_that_it_was_sent_from(celery, found):
    @celery.task
    def by_celery(name):
        look(name)

    @celery.task(bind=True, max_retries=1, default_retry_delay=0)
    def tried_again(self):
        look(f"try {self.request.retries}")
        if not self.request.retries:
            raise self.retry()

    celery.loader.import_default_modules()
    with start_worker(celery, pool="solo", perform_ping_check=False):
        for account in (A, PLATFORM, B):
            with connect.account(account):
                by_celery.delay("sent").get(timeout=10)
        with connect.account(B):
            tried_again.apply_async(headers={"mine": 1}).get(timeout=10)
        by_celery.delay("by nobody").get(timeout=10)
        with every_account():
            by_celery.delay("about all").get(timeout=10)
    assert found[:5] == [
        ("sent", A, len(OWN[A])),
        ("sent", "", len(OWN[PLATFORM])),
        ("sent", B, len(OWN[B])),
        ("try 0", B, len(OWN[B])),
        ("try 1", B, len(OWN[B])),
    ]
    assert [reached for _, reached, _ in found[5:]] == [None, connect.context.EVERY_ACCOUNT]


def test_a_task_of_celery_that_is_called_is_where_it_is_called(celery, found):
    @celery.task
    def called():
        look()

    with connect.account(A):
        called()
        called.apply()
    assert found == [("ran", A, len(OWN[A]))] * 2


def test_a_task_of_django_is_in_the_account_that_it_was_enqueued_in(found):
    with connect.account(A):
        enqueued = enqueue(look_by_django, name="enqueued")
    with every_account():
        about_all = enqueue(look_by_django, "about all")
    alone = look_by_django.enqueue("by itself")
    for result in (enqueued, about_all, alone):
        look_by_django.func(*result.args, **result.kwargs)
    assert found == [
        ("enqueued", A, len(OWN[A])),
        ("about all", connect.context.EVERY_ACCOUNT, None),
        ("by itself", None, None),
    ]


def test_a_job_of_a_merchant_that_is_gone_fails():
    with pytest.raises(UnknownAccount), entered("acct_gone"):
        pass
    with pytest.raises(UnknownReach, match="carries a list"), entered([A]):
        pass


@pytest.mark.parametrize("provision", [celery_provision, django_provision.func])
def test_a_merchant_is_provisioned_in_a_job(provision):
    provision(NEW, name="New")
    assert Merchant.objects.get(connect_account_id=NEW).name == "New"


def test_what_is_cached_for_a_merchant_is_found_by_that_one_alone(settings):
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {
        "default": {"BACKEND": backend, "KEY_FUNCTION": "tenants.caching.make_key", "LOCATION": "x"}
    }
    contexts = [connect.account(account) for account in (A, B, PLATFORM)]
    for number, context in enumerate([*contexts, every_account()]):
        with context:
            assert caches["default"].get("key") is None
            caches["default"].set("key", number)
            assert caches["default"].get("key") == number
    assert caches["default"].get("key") is None


def test_no_account_can_spell_the_key_of_another(monkeypatch):
    keys = set()
    accounts = ["a", "a:b", "a%3Ab", "*", "!", "@", "platform"]
    for account in accounts:
        monkeypatch.setattr("tenants.caching.reach", lambda account=account: account)
        key = make_key("k:e:y", "pre", 1)
        assert reverse_key(key) == "k:e:y"
        keys.add(key)
    for reached in (None, "", connect.context.EVERY_ACCOUNT):
        monkeypatch.setattr("tenants.caching.reach", lambda reached=reached: reached)
        keys.add(make_key("k:e:y", "pre", 1))
    assert len(keys) == len(accounts) + 3


def test_djangos_own_tasks_are_taken_where_there_are_any(monkeypatch):
    ours = ModuleType("django.tasks")
    ours.task = lambda: lambda function: ("a task of Django's own", function.__name__)
    # Until the import is done alone: where Django has tasks, it looks for its own when settings change.
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "django.tasks", ours)
        patched.delitem(sys.modules, "tenants.jobs.django_tasks")
        module = import_module("tenants.jobs.django_tasks")
    assert module.provision_merchant == ("a task of Django's own", "provision_merchant")
