"""The comparison with Stripe: what it lets pass, and that it finds each thing that may go wrong."""

import pytest

from connect.models import InboxEvent
from django_stripe.charge.models import Charge
from django_stripe.customer.models import Customer
from example_platform import verification
from example_platform.shop.models import Takings
from example_platform.verification import Place, Truth
from tests.conftest import NOW_UNIX

pytestmark = pytest.mark.usefixtures("shop")

BAKERY, CERAMICS = "acct_Bakery", "acct_Ceramics"
CUSTOMER = {"id": "cus_1", "object": "customer", "created": NOW_UNIX, "name": "Ada"}
GONE = CUSTOMER | {"id": "cus_2"}
SALE = {"id": "ch_1", "object": "charge", "created": NOW_UNIX, "currency": "usd", "amount": 700}
SALE |= {"status": "succeeded"}
PASSED_ON = SALE | {"id": "ch_2", "transfer_data": {"destination": BAKERY}}
NAMED_IN_METADATA = SALE | {"id": "ch_3", "metadata": {"for": BAKERY}}
LIVING = {
    Place("customer", BAKERY, "cus_1"): CUSTOMER,
    Place("charge", BAKERY, "ch_1"): SALE,
    Place("charge", "", "ch_2"): PASSED_ON,
    Place("charge", "", "ch_3"): NAMED_IN_METADATA,
}
TRUTH = Truth(
    accounts=[BAKERY, CERAMICS],
    living=LIVING,
    ever=LIVING | {Place("customer", BAKERY, "cus_2"): GONE},
    events={
        (BAKERY, "evt_000001"),
        (BAKERY, "evt_000002"),
        (BAKERY, "evt_000003"),
        (BAKERY, "evt_000004"),
        ("", "evt_000005"),
        ("", "evt_000006"),
    },
)
CHECKS = {
    "mismatches": verification.mismatches,
    "leaks": verification.leaks,
    "hidden": verification.hidden,
    "miscounts": verification.miscounts,
    "unreceived": verification.unreceived,
    "unsettled": lambda _: verification.unsettled(),
}


@pytest.fixture(autouse=True)
def mirror(shop, deliver, django_capture_on_commit_callbacks):
    """All of what happened, delivered."""
    with django_capture_on_commit_callbacks(execute=True):
        deliver("customer.created", CUSTOMER, account=BAKERY)
        deliver("customer.created", GONE, account=BAKERY)
        deliver("customer.deleted", GONE, account=BAKERY, created=NOW_UNIX + 1)
        deliver("charge.succeeded", SALE, account=BAKERY)
        for value in (PASSED_ON, NAMED_IN_METADATA):
            event = deliver.event("charge.succeeded", value, account=None)
            assert deliver.post(event, endpoint="platform").status_code == 200


def found():
    return {name: list(check(TRUTH)) for name, check in CHECKS.items()}


def test_nothing_is_found_where_nothing_is_wrong():
    assert found() == {name: [] for name in CHECKS}


def test_two_events_of_one_second_are_a_tie(deliver, django_capture_on_commit_callbacks):
    assert verification.ties() == verification.asked() == 0
    with django_capture_on_commit_callbacks(execute=True):
        update = {"account": BAKERY, "previous_attributes": {"name": None}}
        deliver("customer.updated", CUSTOMER, **update)
    assert (verification.ties(), verification.asked(), verification.rows()) == (1, 0, 5)


def rows(model, stripe_id):
    return model.objects.filter(stripe_id=stripe_id)


@pytest.mark.parametrize(
    ("harm", "finding", "where"),
    [
        (
            lambda: rows(Charge, "ch_1").update(data=SALE | {"amount": 1}),
            f"charge ch_1 of {BAKERY} differs in amount",
            "mismatches",
        ),
        (
            lambda: rows(Charge, "ch_1").update(deleted_at="2026-01-01T00:00Z"),
            f"charge ch_1 of {BAKERY} lives, and its row is marked as deleted",
            "mismatches",
        ),
        (
            lambda: rows(Customer, "cus_2").update(deleted_at=None),
            f"customer cus_2 of {BAKERY} was deleted, and its row lives",
            "mismatches",
        ),
        (
            lambda: rows(Charge, "ch_1").update(livemode=True),
            f"charge ch_1 of {BAKERY} never was, and has a row",
            "mismatches",
        ),
        (
            lambda: rows(Charge, "ch_2").delete(),
            "charge ch_2 of the platform has no row",
            "mismatches",
        ),
        (
            lambda: rows(Charge, "ch_1").update(connect_account_id=CERAMICS),
            f"Charge.objects.for_account({CERAMICS}) shows charge ch_1 of {CERAMICS}",
            "leaks",
        ),
        (
            lambda: rows(Charge, "ch_3").update(
                data=SALE | {"transfer_data": {"destination": BAKERY}}
            ),
            f"Charge.objects.for_merchant({BAKERY}) shows charge ch_3 of the platform",
            "leaks",
        ),
        (
            lambda: rows(Charge, "ch_2").update(data=SALE),
            f"Charge.objects.for_merchant({BAKERY}) does not show charge ch_2 of the platform",
            "hidden",
        ),
        (
            lambda: Takings.objects.update(sales=2),
            f"the usd sales of {BAKERY} are counted as 2, not 1",
            "miscounts",
        ),
        (
            lambda: Takings.objects.all().delete(),
            f"the usd amount_minor of {BAKERY} are counted as 0, not 700",
            "miscounts",
        ),
        (
            lambda: InboxEvent.objects.filter(event_id="evt_000005").delete(),
            "event evt_000005 of the platform is not in both, the inbox and the stand-in",
            "unreceived",
        ),
        (
            lambda: InboxEvent.objects.filter(event_id="evt_000001").update(state="failed"),
            f"event evt_000001 of {BAKERY} is failed",
            "unreceived",
        ),
        (
            lambda: rows(Charge, "ch_1").update(settle_at="2026-01-01T00:00Z"),
            f"charge ch_1 of {BAKERY}",
            "unsettled",
        ),
    ],
)
def test_whatever_goes_wrong_is_found(harm, finding, where):
    harm()
    assert finding in found()[where]
