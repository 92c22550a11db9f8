"""A thin event of a merchant's customer, and the two ways in which it is worked off."""

import pytest
from django.db.models.functions import Now

import connect
from connect.models import InboxEvent
from connect.worker import Worker


def of(account):
    return {"stripe_account": account} if account else {}


@pytest.fixture
def customer(thin, merchant):
    """A customer of the merchant's at Stripe, whom nobody asked for yet."""
    made = thin.stripe.client().v1.customers.create({"name": "Ann"}, of(merchant))
    thin.asked()
    return made.id


@pytest.fixture
def created(thin, merchant, customer):
    """The thin event of that."""
    return thin.last("v1.customer.created", merchant)


@pytest.fixture
def heard(routes):
    """What a handler of everything is given."""
    events = []

    @connect.on("*")
    def hear(event):
        events.append(event)

    return events


def again():
    """Let the time come that failed events wait for."""
    InboxEvent.objects.filter(state="failed").update(next_attempt_at=Now())


@pytest.fixture(params=["inline", "worker"])
def way(request, settings):
    """Do what there is to do, in the request or later in a lane."""
    settings.CONNECT_PROCESSING = request.param
    return (lambda: None) if request.param == "inline" else (lambda: Worker().run_once())
