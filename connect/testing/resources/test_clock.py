"""Test clocks: time for a few customers' subscriptions, which moves when it is told to."""

from dataclasses import replace

from connect.testing import errors
from connect.testing.call import Call
from connect.testing.resources import subscription_schedule, subscription_term
from connect.testing.routing import Noun, job
from connect.testing.store import StripeObject

NAME = "test_helpers.test_clock"
test_clock = Noun(NAME, "/v1/test_helpers/test_clocks", "test_helpers.TestClock")
DAY_SECONDS = 24 * 3600
TURNS_MAX = 100


@test_clock.create
def create(call: Call) -> StripeObject:
    obj: StripeObject = {
        "id": call.new_id("clock"),
        "object": NAME,
        "created": call.now,
        "deletes_after": call.now + 30 * DAY_SECONDS,
        "frozen_time": call.params["frozen_time"],
        "livemode": False,
        "name": call.params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    return call.insert(obj, f"{NAME}.created")


@test_clock.action("advance")
def advance(call: Call) -> StripeObject:
    obj, target = call.get(NAME, call.path["id"]), call.params["frozen_time"]
    if target <= obj["frozen_time"]:
        message = "The clock can only be advanced to a time after its current `frozen_time`."
        raise errors.Refused(400, message, param="frozen_time")
    call.later(call.now, "test_clock.arrive", obj["id"])
    details = {"advancing": {"target_frozen_time": target}}
    return call.change(obj, {"status": "advancing", "status_details": details}, f"{NAME}.advancing")


@job("test_clock.arrive", NAME)
def arrive(call: Call, obj: StripeObject) -> None:
    """What was due on the way happens, each at its time, and then the clock stands at its target."""
    target = obj["status_details"]["advancing"]["target_frozen_time"]
    owned = {c["id"] for c in call.newest_first("customer") if c["test_clock"] == obj["id"]}
    for _ in range(TURNS_MAX):
        due = [
            (at, turn, noun, id_)
            for noun, turns in (
                ("subscription", subscription_turns),
                ("subscription_schedule", subscription_schedule.turns),
            )
            for row in call.newest_first(noun)
            if row["customer"] in owned
            for at, turn, id_ in [(*turns(call, row), row["id"])]
            if at is not None and at <= target
        ]
        if not due:
            break
        at, turn, noun, id_ = min(due, key=lambda one: (one[0], one[3]))
        turn(replace(call, at_unix=at), call.get(noun, id_))
    call.change(
        call.get(NAME, obj["id"]),
        {"frozen_time": target, "status": "ready", "status_details": {}},
        f"{NAME}.ready",
    )


def subscription_turns(_: Call, obj: StripeObject) -> subscription_schedule.Turn:
    running = obj["status"] in subscription_term.RUNNING
    return (subscription_term.period_end(obj) if running else None), subscription_term.turn


test_clock.retrieve()
test_clock.list()
test_clock.delete(event=f"{NAME}.deleted")
