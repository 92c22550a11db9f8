"""Choosing rows by account, merchant, mode and time."""

from datetime import UTC, datetime

import pytest

from connect import PLATFORM, NoAccount
from django_stripe.account.models import Account
from django_stripe.application_fee.models import ApplicationFee
from django_stripe.charge.models import Charge
from django_stripe.transfer.models import Transfer

pytestmark = pytest.mark.django_db


def charge(stripe_id, account="", livemode=False, **data):
    return Charge.objects.create(
        stripe_id=stripe_id, connect_account_id=account, livemode=livemode, data=data
    )


@pytest.fixture
def charges():
    return [
        charge("ch_direct", "acct_A", created=100),
        charge("ch_other", "acct_B", created=200),
        charge("ch_destination", transfer_data={"destination": "acct_A"}, created=300),
        charge("ch_expanded", transfer_data={"destination": {"id": "acct_A"}}, created=400),
        charge("ch_behalf", on_behalf_of="acct_A", created=500),
        charge("ch_platform", created=600, livemode=True),
        charge("ch_foreign", "acct_B", on_behalf_of="acct_A", created=700),
    ]


def ids(rows):
    return {row.stripe_id for row in rows}


def test_an_account_has_what_lives_in_it(charges):
    assert ids(Charge.objects.for_account("acct_A")) == {"ch_direct"}
    account = Account(stripe_id="acct_B", connect_account_id="acct_B")
    assert ids(Charge.objects.for_account(account)) == {"ch_other", "ch_foreign"}


def test_the_platform_has_its_own(charges):
    own = {"ch_destination", "ch_expanded", "ch_behalf", "ch_platform"}
    assert ids(Charge.objects.platform()) == ids(Charge.objects.for_account(PLATFORM)) == own
    assert ids(Charge.objects.for_merchant(PLATFORM)) == own


def test_a_merchants_are_those_in_the_account_and_the_platforms_that_name_it(charges):
    assert ids(Charge.objects.for_merchant("acct_A")) == {
        "ch_direct",
        "ch_destination",
        "ch_expanded",
        "ch_behalf",
    }, "what another account says of it is not the platform's word"


@pytest.mark.parametrize(
    ("model", "field"), [(Transfer, "destination"), (ApplicationFee, "account")]
)
def test_transfers_and_fees_are_the_merchants_they_name(model, field):
    for account in ("acct_A", "acct_B"):
        model.objects.create(stripe_id=f"x_{account}", data={field: account})
    assert ids(model.objects.for_merchant("acct_A")) == {"x_acct_A"}


@pytest.mark.parametrize("nothing", [None, ""])
@pytest.mark.parametrize("method", ["for_account", "for_merchant"])
def test_no_account_is_an_error_and_never_all(charges, method, nothing):
    with pytest.raises(NoAccount):
        getattr(Charge.objects, method)(nothing)


def test_modes_times_and_the_living(charges):
    assert ids(Charge.objects.live()) == {"ch_platform"}
    assert "ch_platform" not in ids(Charge.objects.test())
    start, end = (datetime.fromtimestamp(n, UTC) for n in (200, 400))
    assert ids(Charge.objects.created_between(start, end)) == {"ch_other", "ch_destination"}
    Charge.objects.filter(stripe_id="ch_other").update(deleted_at=start)
    assert "ch_other" not in ids(Charge.objects.alive())


def test_the_newest_is_first(charges):
    rows = Charge.objects.platform().newest_first()
    assert [row.stripe_id for row in rows] == [
        "ch_platform",
        "ch_behalf",
        "ch_expanded",
        "ch_destination",
    ]
