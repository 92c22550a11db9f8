"""The thin endpoint, which is a destination of v2."""

import stripe as sdk

from tests.connect.endpoints.at_stripe import PLATFORM, THIN, at, hear


def test_thin_handlers_have_a_destination_of_both_scopes(stripe, run, secrets):
    hear("v2.core.account.*")
    hear("v1.charge.refunded")
    assert run("--secrets-to", secrets.path).status == 0
    (made,) = at(stripe, THIN)
    assert (made.thin, made.own, made.connect) == (True, True, True)
    assert set(made.enabled_events) == {
        "v1.charge.refunded",
        "v2.core.account.closed",
        "v2.core.account.created",
        "v2.core.account.updated",
    }
    assert secrets()["thin"] == made.secrets
    assert not [e for e in at(stripe, PLATFORM)[0].enabled_events if e.startswith("v")]
    secrets.configure()
    assert run("--check").lines == ["As the code wants it: platform, connect, thin."]


def test_a_thin_destination_is_kept_as_the_code_wants_it(stripe, run, secrets):
    hear("v2.core.account.created")
    run("--secrets-to", secrets.path)
    secrets.configure()
    hear("v2.core.account.closed")
    service = stripe.client().v2.core.event_destinations
    id_ = at(stripe, THIN)[0].id
    service.update(id_, {"enabled_events": ["v1.charge.refunded"]})
    service.disable(id_)
    assert run("--check", "--endpoint", "thin").lines == [
        f"thin: {id_} is without v2.core.account.closed, v2.core.account.created",
        f"thin: {id_} is sent v1.charge.refunded, which nothing here wants",
        f"thin: {id_} is disabled",
    ]
    assert run().status == 0
    assert at(stripe, THIN)[0].enabled
    assert run("--check").status == 0
    hear("v1.charge.refunded")
    assert run().lines[2] == f"thin: updated {id_}, which was without v1.charge.refunded"
    assert run("--check").status == 0


def test_a_thin_destination_of_other_scopes_is_replaced(stripe, run, secrets):
    hear("v2.core.account.created")
    narrow = stripe.event_destination(
        THIN, events_from=["@self"], events=["v2.core.account.created"]
    )
    assert run("--check", "--endpoint", "thin").lines == [
        f"thin: there is no endpoint at {THIN}",
        f"thin: {narrow['id']} hears of @self, not of @accounts, @self",
    ]
    run("--secrets-to", secrets.path)
    secrets.configure()
    assert run("--retire").status == 0
    assert [made.own and made.connect for made in at(stripe, THIN)] == [True]


def test_a_destination_that_sends_snapshots_to_the_thin_address_is_drift(stripe, run):
    hear("v2.core.account.created")
    wrong = stripe.event_destination(THIN, thin=False, events=["charge.refunded"])
    assert run("--check", "--endpoint", "thin").lines[1] == (
        f"thin: {wrong['id']} is of API version {sdk.api_version}, not none, as thin events are"
    )


def test_a_thin_secret_is_rotated_the_same_way(stripe, run, secrets):
    hear("v2.core.account.created")
    run("--secrets-to", secrets.path)
    (old,) = at(stripe, THIN)
    run("--rotate", "thin", "--secrets-to", secrets.path)
    secrets.configure()
    run("--retire", "--secrets-to", secrets.path)
    (new,) = at(stripe, THIN)
    assert new.id != old.id
    assert secrets()["thin"] == new.secrets


def test_a_thin_endpoint_needs_a_handler(stripe, run, secrets):
    done = run("--endpoint", "thin", "--secrets-to", secrets.path)
    assert done.status == 2
    assert "there is nothing to hear of" in done.err
