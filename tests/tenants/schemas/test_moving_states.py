"""Of two states of an object, one on each side, the later one is what is left."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import connect
from django_stripe.mirroring import mirror
from django_stripe.ordering import supersedes
from django_stripe.upsert import Row
from tenants.copying import SUPERSEDES
from tenants.provisioning import provision
from tests.tenants.rows import A, B, snapshot
from tests.tenants.schemas import moved

pytest_plugins = "tests.tenants.schemas.moved"


def test_a_later_state_in_the_target_is_never_overwritten(platform):
    """The site serves the merchant already: events came in before the rows that they are about."""
    day = timedelta(days=1)
    with platform.served():
        moved.call_command("tenants_migrate", verbosity=0)
        provision(A)
        later, earlier = snapshot(A, "ch_a1", 777), snapshot(A, "ch_a2", 888)
        tie = snapshot(A, "ch_both", 999)
        with connect.account(A):
            mirror(
                [
                    _event(later, later.as_of + day),
                    _event(earlier, earlier.as_of - day),
                    replace(tie, requested_at=None, event_id="evt_tie", origin="event"),
                    snapshot(A, "ch_new", 1),
                ]
            )
    said = platform.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert platform.charge(A, "ch_a1", "amount, settle_at") == (777, None)
    assert platform.charge(A, "ch_a2", "amount, settle_at") == (3, None)
    amount, settle_at = platform.charge(A, "ch_both", "amount, settle_at")
    assert (amount, settle_at is None) == (999, False)
    assert len(platform.rows(A, A)["stripe_charge"]) == 4
    said = platform.to_schemas("--verify")
    assert (said.err, said.code) == ("", 0)


def test_what_comes_in_after_the_move_is_no_difference(in_schemas):
    later = snapshot(A, "ch_a1", 777)
    with in_schemas.served(), connect.account(A):
        mirror([_event(later, later.as_of + timedelta(days=1)), snapshot(A, "ch_new")])
    for way in ((), ("--verify",), ("--drop", "--yes")):
        said = in_schemas.to_schemas(*way)
        assert (said.err, said.code) == ("", 0)
    assert in_schemas.charge(A, "ch_a1", "amount") == (777,)
    assert len(in_schemas.rows(A, A)["stripe_charge"]) == 4


def test_what_is_still_written_into_the_source_is_not_dropped_but_moved_the_next_time(in_schemas):
    in_schemas.execute("UPDATE stripe_charge SET stripe_id = 'ch_late' WHERE stripe_id = 'ch_b1'")
    said = in_schemas.to_schemas("--drop", "--yes")
    assert said.code == 1
    assert said.err.startswith(f"{B}: It is not moved, or somebody wrote into its source since")
    said = in_schemas.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert f"{B}: 1 rows moved" in said.out
    assert len(in_schemas.rows(B, B)["stripe_charge"]) == 4
    assert in_schemas.charge(B, "ch_late", "id") > in_schemas.charge(B, "ch_b1", "id")
    assert in_schemas.to_schemas("--drop", "--yes").code == 0


def test_what_is_written_into_the_source_when_it_was_dropped_is_moved_the_next_time(in_schemas):
    """The tables are there as long as another account has rows in them, and so is the way into them."""
    kept = in_schemas.execute("SELECT id FROM stripe_charge WHERE stripe_id = 'ch_b1'")
    assert in_schemas.to_schemas("--drop", "--yes", B).code == 0
    in_schemas.execute(
        "INSERT INTO stripe_charge (connect_account_id, livemode, stripe_id, data, as_of, received_at, origin,"
        " event_id, leans_on_prior, updated_at) SELECT connect_account_id, livemode, 'ch_late', data, as_of,"
        f' received_at, origin, event_id, leans_on_prior, updated_at FROM "{B}".stripe_charge WHERE id = %s',
        *kept[0],
    )
    assert in_schemas.to_schemas("--drop", "--yes").err.startswith(f"{B}: It is not moved, or")
    said = in_schemas.to_schemas()
    assert (said.err, said.code) == ("", 0)
    assert f"{B}: 1 rows moved" in said.out
    assert len(in_schemas.rows(B, B)["stripe_charge"]) == 4
    assert in_schemas.to_schemas("--drop", "--yes").code == 0


def test_an_event_that_came_late_into_the_source_is_no_difference_where_the_target_knows_more(
    in_schemas,
):
    """A worker under the old settings writes after one under the new ones did, and what it writes is older."""
    latest = snapshot(B, "ch_b1", 777)
    with in_schemas.served(), connect.account(B):
        mirror([_event(latest, latest.as_of + timedelta(days=2))])
    in_schemas.execute(
        "UPDATE public.stripe_charge SET as_of = as_of + interval '1 day', requested_at = NULL, event_id = 'evt_late',"
        " origin = 'event', received_at = now(), updated_at = now() WHERE stripe_id = 'ch_b1'"
    )
    for way in ((), ("--verify",), ("--drop", "--yes")):
        said = in_schemas.to_schemas(*way)
        assert (said.err, said.code) == ("", 0)
    assert in_schemas.charge(B, "ch_b1", "amount, settle_at") == (777, None)


def test_one_state_that_both_were_told_is_no_difference_and_nothing_to_ask_about(in_schemas):
    """By two events of one second, neither of which is the later one."""
    value = snapshot(B, "ch_b1", 2000)
    with in_schemas.served(), connect.account(B):
        mirror([_event(value, value.as_of + timedelta(days=2))])
    in_schemas.execute(
        "UPDATE public.stripe_charge s SET as_of = t.as_of, requested_at = t.requested_at, event_id = 'evt_other',"
        " origin = t.origin, data = t.data, received_at = now(), updated_at = now()"
        ' FROM "acct_B".stripe_charge t WHERE t.stripe_id = s.stripe_id AND s.stripe_id = %s'
        " AND s.connect_account_id = %s",
        "ch_b1",
        B,
    )
    for way in ((), ("--verify",), ("--drop", "--yes")):
        said = in_schemas.to_schemas(*way)
        assert (said.err, said.code) == ("", 0)
    assert in_schemas.charge(B, "ch_b1", "settle_at, event_id") == (None, "evt_ch_b1")


def test_the_rule_in_sql_is_the_mirrors_rule(truth):
    """Over all that two states can be to each other."""
    began = datetime(2024, 1, 1, tzinfo=UTC)
    first, second, third = (began + timedelta(seconds=n) for n in range(3))
    states = [
        Row(as_of, requested_at, received_at, event_id, None, since, False, "")
        for as_of, requested_at, received_at, event_id, since in itertools.product(
            [second, third], [None, first, third], [second, third], ["", "evt_1"], [None, first]
        )
        if requested_at is None or requested_at <= received_at
    ]
    truth(
        "CREATE TEMP TABLE state (n int, as_of timestamptz, requested_at timestamptz,"
        " received_at timestamptz, event_id text, decided_since timestamptz)"
    )
    with truth.connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO state (n, as_of, requested_at, received_at, event_id, decided_since)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            [
                (n, s.as_of, s.requested_at, s.received_at, s.event_id, s.decided_since)
                for n, s in enumerate(states)
            ],
        )
    answers = truth(
        f"SELECT {SUPERSEDES.format(new='s', old='t')} FROM state s, state t ORDER BY s.n, t.n"
    )
    wanted = [supersedes(new, old) is True for new, old in itertools.product(states, states)]
    assert [answer for (answer,) in answers] == wanted
    assert set(wanted) == {True, False}


def _event(value, at):
    """The state as an event told it at a time."""
    return replace(
        value, as_of=at, requested_at=None, event_id=f"evt_{value.stripe_id}", origin="event"
    )
