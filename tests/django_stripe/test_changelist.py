"""The lists of the admin: narrowed by account, mode and id, in pages that nobody counts."""

import pytest

from django_stripe.common.changelist import PAGES_MAX, UncountedPaginator
from tests.django_stripe.admin_pages import (
    ACCOUNT,
    CHARGE,
    fill,
    ids_listed,
    page,
    plan_of,
    queries_of,
    stored,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(admin_client):
    return admin_client


@pytest.fixture
def three_rows():
    stored(stripe_id="ch_p", connect_account_id="", livemode=True)
    stored(stripe_id="ch_1", connect_account_id="acct_1")
    stored(stripe_id="ch_2", connect_account_id="acct_2")


@pytest.mark.parametrize(
    ("asked", "listed"),
    [
        ("", ["ch_2", "ch_1", "ch_p"]),
        ("?account=", ["ch_2", "ch_1", "ch_p"]),
        ("?account=platform", ["ch_p"]),
        ("?account=acct_1", ["ch_1"]),
        ("?account=+acct_1+", ["ch_1"]),
        ("?account=acct_3", []),
        ("?mode=live", ["ch_p"]),
        ("?mode=test", ["ch_2", "ch_1"]),
        ("?q=ch_1", ["ch_1"]),
        ("?q=+ch_1+", ["ch_1"]),
        ("?q=ch_", []),
        ("?q=acct_2", ["ch_2"]),
        ("?q=ch_1&account=acct_2", []),
        ("?q=+", ["ch_2", "ch_1", "ch_p"]),
        ("?q=%00", ["ch_2", "ch_1", "ch_p"]),
    ],
)
@pytest.mark.usefixtures("three_rows")
def test_the_list_is_narrowed_by_account_by_mode_and_by_id(client, asked, listed):
    assert ids_listed(client.get(page(CHARGE, "changelist") + asked)) == listed


@pytest.mark.parametrize("asked", ["?mode=both", "?account=%00", "?p=0", "?p=2", "?p=1000000"])
@pytest.mark.usefixtures("three_rows")
def test_what_makes_no_sense_leads_back_to_the_list(client, asked):
    response = client.get(page(CHARGE, "changelist") + asked)
    assert response["Location"].endswith("?e=1")


@pytest.mark.parametrize("asked", ["?data__icontains=x", "?amount=1", "?stripe_id__startswith=c"])
def test_no_other_column_can_be_asked_for(client, asked):
    assert client.get(page(CHARGE, "changelist") + asked).status_code == 400


def test_an_account_is_found_by_its_own_id_and_so_is_the_platform(client):
    stored(ACCOUNT, stripe_id="acct_1", connect_account_id="acct_1")
    stored(ACCOUNT, stripe_id="acct_platform", connect_account_id="")
    for stripe_id in ("acct_1", "acct_platform"):
        response = client.get(page(ACCOUNT, "changelist") + f"?q={stripe_id}")
        assert ids_listed(response) == [stripe_id]


def test_the_account_is_typed_into_a_field_that_keeps_the_other_filters(client):
    text = client.get(page(CHARGE, "changelist") + "?account=acct_9&mode=live&q=ch_1").text
    form = text.partition('class="stripe-account"')[2].partition("</form>")[0]
    assert '<input type="hidden" name="mode" value="live">' in form
    assert '<input type="hidden" name="q" value="ch_1">' in form
    assert 'name="account" value="acct_9"' in form


def test_within_an_account_the_list_has_the_order_of_stripes_lists(client):
    for number, created in enumerate([20, 30, 10]):
        stored(stripe_id=f"ch_{number}", data={"created": created})
    response = client.get(page(CHARGE, "changelist") + "?account=acct_1")
    assert ids_listed(response) == ["ch_1", "ch_0", "ch_2"]


def test_the_list_of_an_account_is_read_in_the_order_of_its_index(client):
    fill(CHARGE, 1, 20_000)
    (query,), _ = queries_of(client, CHARGE, page(CHARGE, "changelist") + "?account=platform")
    assert "Index Scan using st_charge_list" in plan_of(query)


# Pages


def test_a_page_knows_whether_there_is_a_next_one(client):
    fill(CHARGE, 1, 201)
    address = page(CHARGE, "changelist")
    first, last = client.get(address), client.get(f"{address}?p=3")
    assert len(ids_listed(first)) == 100
    assert 'rel="next" href="?p=2"' in first.text
    assert 'rel="prev"' not in first.text
    assert ids_listed(last) == ["x_1"]
    assert 'rel="prev" href="?p=2"' in last.text
    assert 'rel="next"' not in last.text


def test_a_full_last_page_has_no_next_one(client):
    fill(CHARGE, 1, 100)
    response = client.get(page(CHARGE, "changelist"))
    assert len(ids_listed(response)) == 100
    assert 'rel="next"' not in response.text


def test_the_last_page_that_can_be_asked_for_says_that_there_are_more():
    rows = range(PAGES_MAX + 1)
    paginator = UncountedPaginator(rows, per_page=1)
    last = paginator.page(PAGES_MAX)
    assert not last.has_next()
    assert paginator.goes_on


def test_the_history_of_a_row_has_pages_too(client):
    row = stored()
    for asked in ("", "?p=3", "?p=x"):
        assert client.get(page(CHARGE, "history", row.pk) + asked).status_code == 200
