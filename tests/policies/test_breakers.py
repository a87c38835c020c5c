"""The breakers of platforms and of their logins."""

from itertools import cycle

import pytest

from app.policies.breaker import BreakerKey, BreakerOpen, Breakers, CallHealth, CircuitState, Snapshot
from tests.support.breakers import POLICY, Changes, call, opened
from tests.support.clocks import Clock


def key(login: str) -> BreakerKey:
    return BreakerKey("platform", login, "acme")


PLATFORM = BreakerKey("platform")


def make_calls(breakers: Breakers, login: str, health: CallHealth, times: int = 1) -> int:
    """Call as a login; return how many calls were let through."""
    passed = 0
    for _ in range(times):
        try:
            breakers.admit("platform", login, login).done(health, 0.1)
        except BreakerOpen:
            continue
        passed += 1
    return passed


class TestOneLogin:
    def test_that_fails_is_left_alone_and_nobody_else(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        assert make_calls(breakers, "bad", CallHealth.BAD, 100) == POLICY.minimum_calls
        assert breakers.get(PLATFORM).state is CircuitState.CLOSED
        assert make_calls(breakers, "good", CallHealth.GOOD, 10) == 10

    def test_that_fails_all_day_never_closes_the_platform(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        for number in range(5000):
            clock.now += 5.0
            make_calls(breakers, "bad", CallHealth.BAD)
            # Now and then something goes wrong for another one as well.
            assert make_calls(breakers, "good", CallHealth.BAD if number % 50 == 0 else CallHealth.GOOD) == 1
            assert make_calls(breakers, "better", CallHealth.GOOD) == 1

    def test_cannot_keep_a_platform_closed_that_works_again(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        for login in ("bad", "good", "better"):
            make_calls(breakers, login, CallHealth.BAD, 2)
        assert breakers.get(PLATFORM).state is CircuitState.OPEN
        clock.now += POLICY.open_for
        make_calls(breakers, "bad", CallHealth.BAD)
        assert breakers.get(PLATFORM).state is CircuitState.HALF_OPEN
        assert make_calls(breakers, "bad", CallHealth.BAD) == 0
        assert make_calls(breakers, "good", CallHealth.GOOD) == 1
        assert breakers.get(PLATFORM).state is CircuitState.CLOSED

    def test_alone_on_a_platform_may_try_again_after_each_pause(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        for login in ("one", "other", "third"):
            make_calls(breakers, login, CallHealth.BAD, 2)
        for pause in (POLICY.open_for, 2 * POLICY.open_for, 4 * POLICY.open_for):
            clock.now += pause
            assert make_calls(breakers, "one", CallHealth.BAD) == 1
            assert make_calls(breakers, "one", CallHealth.BAD) == 0


class TestSeveralLogins:
    def test_close_a_platform_that_fails_for_all(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        for login, _ in zip(cycle(("one", "other", "third")), range(6), strict=False):
            make_calls(breakers, login, CallHealth.BAD)
        assert breakers.get(PLATFORM).state is CircuitState.OPEN
        assert make_calls(breakers, "fourth", CallHealth.GOOD) == 0
        assert breakers.refusing() == 1

    def test_open_it_again_after_the_probes_of_two(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        for login in ("one", "other", "third"):
            make_calls(breakers, login, CallHealth.BAD, 2)
        clock.now += POLICY.open_for
        for login in ("one", "other"):
            make_calls(breakers, login, CallHealth.BAD)
        assert breakers.get(PLATFORM).state is CircuitState.OPEN

    def test_are_told_apart_up_to_a_number(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        platform = breakers.get(PLATFORM)
        for number in range(1000):
            platform.finished(platform._epoch, CallHealth.GOOD, 0.1, "fine")
            platform._buckets[-1].failed(f"{number}")
            assert len(platform._buckets[-1].by_login) <= 100

    def test_a_platform_that_refuses_gives_the_logins_probe_back(self, clock: Clock) -> None:
        breakers = Breakers(POLICY, clock)
        for login in ("one", "other", "third"):
            make_calls(breakers, login, CallHealth.BAD, 2)
        own = opened(breakers.get(BreakerKey("platform", "fourth", "fourth")))
        clock.now += POLICY.open_for - 1
        own._until = clock.now
        with pytest.raises(BreakerOpen):
            breakers.admit("platform", "fourth", "fourth")
        clock.now += 1
        assert make_calls(breakers, "fourth", CallHealth.GOOD) == 1


def test_one_that_nobody_calls_any_more_is_forgotten_though_it_was_open(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=1)
    opened(breakers.get(key("one")))
    assert breakers.refusing() == 1
    clock.now += POLICY.open_for
    assert breakers.refusing() == 0
    clock.now += POLICY.window
    breakers.get(key("other"))
    assert set(breakers.snapshot()) == {key("other")}


def test_each_name_has_its_own(clock: Clock, changes: Changes) -> None:
    breakers = Breakers(POLICY, clock, lambda _key, before, after: changes(before, after))
    opened(breakers.get(key("one")))
    assert breakers.get(key("one")).snapshot().state is CircuitState.OPEN
    assert breakers.get(key("other")).snapshot().state is CircuitState.CLOSED
    assert changes.seen == [(CircuitState.CLOSED, CircuitState.OPEN)]
    assert breakers.snapshot() == {
        key("one"): Snapshot(CircuitState.OPEN, 0, 0, 15.0),
        key("other"): Snapshot(CircuitState.CLOSED, 0, 0, None),
    }


def test_changes_need_no_listener(clock: Clock) -> None:
    assert opened(Breakers(POLICY, clock).get(key("one"))).state is CircuitState.OPEN


def test_the_number_is_bounded(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=10)
    for number in range(100):
        breakers.get(key(f"{number}"))
        assert len(breakers.snapshot()) <= 10


def test_what_knows_something_is_not_forgotten(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=10)
    opened(breakers.get(key("open")))
    call(breakers.get(key("counting")), CallHealth.BAD)
    for number in range(100):
        breakers.get(key(f"{number}"))
    kept = breakers.snapshot()
    assert kept[key("open")].state is CircuitState.OPEN
    assert kept[key("counting")].failures == 1
    assert len(kept) == 10


def test_a_breaker_is_forgotten_once_its_calls_are_old(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=1)
    call(breakers.get(key("one")), CallHealth.BAD)
    clock.now += 31.0
    breakers.get(key("other"))
    assert set(breakers.snapshot()) == {key("other")}


def test_a_crowd_shrinks_when_it_is_idle(clock: Clock) -> None:
    breakers = Breakers(POLICY, clock, most=10)
    for number in range(50):
        call(breakers.get(key(f"busy {number}")), CallHealth.BAD)
    assert len(breakers.snapshot()) == 50
    clock.now += 31.0
    for number in range(50):
        breakers.get(key(f"{number}"))
    assert len(breakers.snapshot()) == 10
