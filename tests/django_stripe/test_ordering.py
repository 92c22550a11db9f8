"""The ordering rule against every order that the events allow, and against histories that really happened."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from django_stripe.ordering import (
    NOTHING,
    Change,
    Decision,
    decide,
    earliest,
    final_state,
    state,
    state_before,
    supersedes,
)

SECOND = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
EARLY, ASKED, LATE = (SECOND + timedelta(milliseconds=n) for n in (100, 200, 300))


def change(before, after, name="evt", received_at=LATE):
    return Change(name, SECOND, received_at, before, after)


def changes(*edges):
    return [change(before, after, f"evt_{n}") for n, (before, after) in enumerate(edges)]


def possible_ends(edges):
    """Every state in which some order of all `edges` ends that fits together, by trying them all."""
    ends = set()

    def walk(current, left):
        if not left:
            ends.add(current)
        for n, (before, after) in enumerate(left):
            fits = current is None or before == current or (before is None and current != NOTHING)
            if fits:
                walk(after, left[:n] + left[n + 1 :])

    walk(None, edges)
    return ends


states = st.sampled_from(["A", "B", "C", NOTHING])
edges = st.lists(st.tuples(st.one_of(st.none(), states), states), min_size=1, max_size=6).map(
    lambda found: [(b, a) for b, a in found if (b, a) != (NOTHING, NOTHING)]
)


@given(edges)
@settings(max_examples=1500)
def test_a_decision_is_the_only_end_of_all_orders_that_fit(found):
    assume(found)
    end = final_state(changes(*found))
    possible = possible_ends(found)
    event(f"decided: {end is not None}")
    if end is not None and possible and not closed_through_nothing(found):
        assert possible == {end}


def closed_through_nothing(found):
    """What was born in a loop had no state before: known of births, not of edges."""
    return (NOTHING in {b for b, _ in found}) and (NOTHING in {a for _, a in found})


@dataclass
class History:
    prior: str
    events: list  # (before or None, after), in the order they happened
    states: list  # after each

    @property
    def end(self):
        return self.states[-1] if self.states else self.prior


@st.composite
def histories(draw, prior=states, silent=0.15):
    """What one object went through within a second: changes there and back, births and deletions.

    What is born anew is another than before, if only by its `created`.
    """
    current = start = draw(prior)
    told, reached, life = [], [], ""
    for _ in range(draw(st.integers(1, 7))):
        if current == NOTHING:
            life += "'"
            after = draw(st.sampled_from(["A", "B", "C"])) + life
            told.append((NOTHING, after))
        else:
            after = draw(states)
            after += life if after != NOTHING else ""
            says = draw(st.floats(0, 1)) >= silent
            told.append((current if says else None, after))
        current = after
        reached.append(current)
    return History(start, told, reached)


@given(histories(), st.randoms())
@settings(max_examples=1500)
def test_whatever_is_decided_is_what_happened(history, random):
    arrived = changes(*history.events)
    random.shuffle(arrived)
    decision = decide(arrived)
    event(f"settled: {decision.settled}")
    if decision.settled:
        assert after(decision, arrived) == history.end


@given(histories(silent=0), st.randoms())
@settings(max_examples=800)
def test_the_state_before_decides_a_closed_loop(history, random):
    arrived = changes(*history.events)
    random.shuffle(arrived)
    decision = decide(arrived, prior=history.prior)
    assert decision.settled, "every event says where it came from, and the state before is known"
    assert after(decision, arrived) == history.end


@given(histories(), st.randoms())
@settings(max_examples=800)
def test_with_the_state_before_too_whatever_is_decided_is_what_happened(history, random):
    arrived = changes(*history.events)
    random.shuffle(arrived)
    decision = decide(arrived, prior=history.prior)
    if decision.settled:
        assert after(decision, arrived) == history.end


@given(histories(), st.data())
@settings(max_examples=1500)
def test_an_answer_of_stripe_among_them_does_not_mislead(history, data):
    asked_after = data.draw(st.integers(0, len(history.events)))
    observed = history.states[asked_after - 1] if asked_after else history.prior
    arrived = [
        change(*edge, f"evt_{n}", EARLY if n < asked_after and data.draw(st.booleans()) else LATE)
        for n, edge in enumerate(history.events)
    ]
    decision = decide(arrived, observed=observed, observed_at=ASKED)
    event(f"settled: {decision.settled}")
    if decision.settled:
        reached = observed if decision.event_id is None else after(decision, arrived)
        assert reached == history.end


@given(histories(), st.randoms())
def test_the_answer_does_not_depend_on_the_order_of_arrival(history, random):
    arrived = changes(*history.events)
    first = decide(arrived)
    random.shuffle(arrived)
    assert decide(arrived) == first


def after(decision, arrived):
    return next(c.after for c in arrived if c.event_id == decision.event_id)


def test_one_path_is_decided_by_its_degrees_without_the_missing_order():
    assert final_state(changes(("B", "C"), ("A", "B"), ("C", "D"))) == "D"


def test_there_and_back_and_there_again_ends_there():
    assert final_state(changes(("A", "B"), ("B", "A"), ("A", "B"))) == "B"


def test_a_gap_in_the_path_is_not_decided():
    decision = decide(changes(("A", "B"), ("C", "D")))
    assert not decision.settled


def test_a_closed_loop_is_not_decided_without_the_state_before():
    loop = changes(("A", "B"), ("B", "A"))
    assert not decide(loop).settled
    assert decide(loop, prior="A") == Decision("evt_1", by_prior=True)
    assert decide(loop, prior="B") == Decision("evt_0", by_prior=True)
    assert not decide(loop, prior="C").settled


def test_a_created_event_comes_first_and_one_that_does_not_say_comes_after():
    """payment_intent.created and payment_intent.succeeded of one second, the commonest tie there is."""
    assert final_state(changes((None, "succeeded"), (NOTHING, "created"))) == "succeeded"


def test_two_events_that_tell_of_one_change_are_one():
    """refund.updated and charge.refund.updated."""
    twins = changes((NOTHING, "pending"), ("pending", "succeeded"), ("pending", "succeeded"))
    assert final_state(twins) == "succeeded"


def test_two_events_that_do_not_say_where_they_came_from_are_not_decided():
    assert not decide(changes((None, "A"), (None, "B"))).settled


def test_a_deletion_is_last_whatever_is_known_of_before():
    assert final_state(changes((None, NOTHING), ("A", "B"))) == NOTHING


def test_an_object_made_anew_under_its_id_is_alive():
    """Coupons, plans and products have ids of the caller's choice."""
    assert final_state(changes(("old", NOTHING), (NOTHING, "new"))) == "new"


def test_born_and_deleted_in_one_second_is_deleted():
    assert final_state(changes((NOTHING, "A"), ("A", NOTHING))) == NOTHING


def observed_as(seen, *edges):
    return decide([change(*edge) for edge in edges], observed=seen, observed_at=ASKED)


def test_an_answer_stands_where_every_change_was_known_before_it_was_asked_for():
    assert observed_as("C", ("A", "B", "evt_1", EARLY)) == Decision(None)


def test_an_answer_that_is_on_no_path_is_ahead_of_what_arrived():
    assert not observed_as("D", ("A", "B", "evt_1", LATE)).settled


def test_an_answer_cannot_be_what_came_before_a_change_it_was_asked_after():
    """Z→A→B with an answer of A, asked for after A→B had come: something brought it back, and is on its way."""
    decision = observed_as("A", ("Z", "A", "evt_0", LATE), ("A", "B", "evt_1", EARLY))
    assert not decision.settled


def test_an_answer_that_it_is_deleted_stands_unless_it_was_made_anew():
    assert observed_as(NOTHING, ("A", "B", "evt_1", LATE)) == Decision(None)
    assert observed_as(NOTHING, (NOTHING, "B", "evt_1", LATE)).event_id == "evt_1"


def test_null_is_like_absent():
    assert state({"a": None, "b": {"c": None}, "d": [None, 1]}) == state({"b": {}, "d": [None, 1]})


def test_previous_attributes_are_laid_back_where_they_were():
    now = {"status": "open", "metadata": {"a": "1", "b": "2"}, "list": [1, 2]}
    previous = {"metadata": {"a": None, "b": "1"}, "list": [1], "status": None}
    assert state_before(now, previous) == state({"metadata": {"b": "1"}, "list": [1]})


@dataclass
class Told:
    as_of: datetime
    received_at: datetime
    requested_at: datetime | None = None
    event_id: str = ""
    decided_since: datetime | None = None


def answer(asked, answered, second):
    return Told(SECOND + timedelta(seconds=second), at(answered), at(asked))


def told(second, received):
    return Told(SECOND + timedelta(seconds=second), at(received), None, "evt")


def at(seconds):
    return SECOND + timedelta(seconds=seconds)


def test_the_newer_event_supersedes_and_one_second_is_a_tie():
    assert supersedes(told(2, 5), told(1, 9)) is True
    assert supersedes(told(1, 9), told(2, 5)) is False
    assert supersedes(told(1, 5), told(1, 6)) is None


def test_an_answer_supersedes_what_was_received_before_it_was_asked_for_whatever_the_clocks_say():
    skewed = told(99, 1)
    assert supersedes(answer(2, 3, 2), skewed) is True
    assert supersedes(skewed, answer(2, 3, 2)) is False


def test_a_row_whose_tie_was_decided_over_several_seconds_ties_with_an_event_of_any_of_them():
    row = Told(at(3), at(9), event_id="evt", decided_since=at(1))
    assert [supersedes(told(s, 10), row) for s in (0, 1, 2, 3, 4)] == [
        False,
        None,
        None,
        None,
        True,
    ]


def test_an_event_of_the_time_an_answer_took_is_a_tie():
    slow = answer(10, 13, 13)
    assert earliest(slow) == at(10)
    assert supersedes(told(9, 14), slow) is False
    assert [supersedes(told(s, 14), slow) for s in (10, 11, 12, 13)] == [None] * 4
    assert supersedes(told(14, 14), slow) is True


def test_of_two_answers_the_one_asked_for_after_the_other_came_is_later():
    assert supersedes(answer(3, 4, 0), answer(1, 2, 0)) is True
    assert supersedes(answer(1, 2, 0), answer(3, 4, 0)) is False
    assert supersedes(answer(1, 3, 0), answer(2, 4, 0)) is None
