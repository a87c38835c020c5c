"""Breakers by name."""

from app.policies.breaker import Breakers, Snapshot, State, Verdict
from tests.support.breakers import POLICY, Changes, call, opened
from tests.support.clocks import Clock


def test_each_name_has_its_own(clock: Clock, changes: Changes) -> None:
    breakers = Breakers(POLICY, clock, changes)
    opened(breakers.get("one"))
    assert breakers.get("one").snapshot().state is State.OPEN
    assert breakers.get("other").snapshot().state is State.CLOSED
    assert changes.seen == [(State.CLOSED, State.OPEN)]
    assert breakers.snapshot() == {
        "one": Snapshot(State.OPEN, 0, 0, 15.0),
        "other": Snapshot(State.CLOSED, 0, 0, None),
    }


def test_changes_need_no_listener(clock: Clock) -> None:
    assert opened(Breakers(POLICY, clock).get("one")).state is State.OPEN


def test_the_number_is_bounded(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=10)
    for number in range(100):
        breakers.get(f"{number}")
        assert len(breakers.snapshot()) <= 10


def test_what_knows_something_is_not_forgotten(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=10)
    opened(breakers.get("open"))
    call(breakers.get("counting"), Verdict.FAILURE)
    for number in range(100):
        breakers.get(f"{number}")
    kept = breakers.snapshot()
    assert kept["open"].state is State.OPEN
    assert kept["counting"].failures == 1
    assert len(kept) == 10


def test_a_breaker_is_forgotten_once_its_calls_are_old(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=1)
    call(breakers.get("one"), Verdict.FAILURE)
    clock.now += 31.0
    breakers.get("other")
    assert set(breakers.snapshot()) == {"other"}


def test_a_crowd_shrinks_when_it_is_idle(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=10)
    for number in range(50):
        call(breakers.get(f"busy {number}"), Verdict.FAILURE)
    assert len(breakers.snapshot()) == 50
    clock.now += 31.0
    for number in range(50):
        breakers.get(f"{number}")
    assert len(breakers.snapshot()) == 10
