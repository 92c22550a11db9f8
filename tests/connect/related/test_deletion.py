"""Thin events about what is gone at Stripe."""

import pytest

from django_stripe.customer.models import Customer
from tests.connect.related.conftest import of

pytestmark = pytest.mark.django_db(transaction=True)


class TestDeletion:
    """What is gone at Stripe is a row that says so."""

    @pytest.fixture
    def mirrored(self, thin, created):
        thin.take(created)

    def test_the_last_state_is_kept(self, thin, merchant, customer, mirrored, heard, way):
        thin.stripe.client().v1.customers.delete(customer, None, of(merchant))
        thin.take(thin.last("v1.customer.deleted", merchant))
        way()
        row = Customer.objects.get()
        assert row.deleted_at
        assert row.name == "Ann"
        assert heard[0].object == {"id": customer, "object": "customer", "deleted": True}

    def test_no_answer_that_lags_behind_brings_it_back(self, thin, merchant, created, mirrored):
        thin.take(created | {"id": "evt_2", "type": "v1.customer.deleted"})
        assert Customer.objects.get().deleted_at

    def test_where_stripe_knows_of_none_any_more_it_was_deleted(
        self, thin, merchant, created, mirrored, heard
    ):
        Customer.objects.update(stripe_id="cus_gone")
        related_object = created["related_object"] | {"id": "cus_gone"}
        thin.take(created | {"id": "evt_2", "related_object": related_object})
        assert Customer.objects.get().deleted_at
        assert heard[0].object == {"id": "cus_gone", "object": "customer", "deleted": True}

    def test_so_it_is_in_the_words_of_v2(self, thin, merchant, heard):
        person = thin.envelope(
            "v2.core.account_person.deleted",
            {
                "id": "person_gone",
                "type": "v2.core.account_person",
                "url": f"/v2/core/accounts/{merchant}/persons/person_gone",
            },
        )
        assert thin.take(person).state == "processed"
        assert heard[0].object["deleted"]

    def test_an_ended_subscription_is_no_deleted_one(self, thin, merchant, created):
        thin.take(created | {"type": "v1.customer.subscription.deleted"})
        assert Customer.objects.get().deleted_at is None
