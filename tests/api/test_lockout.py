"""Counting wrong keys by address."""

import pytest

from app.api.authentication import Lockout
from tests.support.clocks import Clock

GUESSER, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lockout(clock: Clock) -> Lockout:
    return Lockout(failures=3, window=60.0, most=5, clock=clock)


def guess(lockout: Lockout, address: str | None, times: int) -> None:
    for _ in range(times):
        lockout.wrong(address)


def test_locked_from_the_last_failure_that_is_allowed(lockout: Lockout) -> None:
    guess(lockout, GUESSER, 2)
    assert not lockout.locked_for(GUESSER)
    guess(lockout, GUESSER, 1)
    assert lockout.locked_for(GUESSER) == 60.0
    assert not lockout.locked_for(OTHER)


def test_opens_at_the_end_of_the_window(lockout: Lockout, clock: Clock) -> None:
    guess(lockout, GUESSER, 2)
    clock.now += 45
    guess(lockout, GUESSER, 5)
    assert lockout.locked_for(GUESSER) == 15.0
    clock.now += 15
    assert not lockout.locked_for(GUESSER)
    guess(lockout, GUESSER, 2)
    assert not lockout.locked_for(GUESSER)


def test_an_ipv6_subscriber_is_one_address(lockout: Lockout) -> None:
    for last in range(3):
        lockout.wrong(f"2001:db8::{last}")
    assert lockout.locked_for("2001:db8::ffff")
    assert not lockout.locked_for("2001:db8:0:1::1")


def test_who_cannot_be_told_apart_is_counted_together(lockout: Lockout) -> None:
    guess(lockout, None, 3)
    assert lockout.locked_for("nonsense")


def test_a_key_that_was_right_passes_from_its_own_address_only(lockout: Lockout) -> None:
    lockout.right(GUESSER, "hash")
    assert lockout.passes(GUESSER, "hash")
    assert not lockout.passes(OTHER, "hash")
    assert not lockout.passes(GUESSER, "other")


def test_memory_is_bounded_and_keeps_what_was_used_last(lockout: Lockout, clock: Clock) -> None:
    for number in range(5):
        lockout.right(GUESSER, str(number))
    lockout.right(GUESSER, "0")
    lockout.right(GUESSER, "5")
    assert [lockout.passes(GUESSER, str(number)) for number in range(6)] == [True, False, True, True, True, True]
    for number in range(20):
        guess(lockout, f"198.51.100.{number}", 3)
        clock.now += 0.1
    locked = [number for number in range(20) if lockout.locked_for(f"198.51.100.{number}")]
    assert locked == [15, 16, 17, 18, 19]
