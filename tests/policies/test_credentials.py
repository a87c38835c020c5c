"""Logins that are refused."""

import pytest

from app.policies.credentials import CredentialGuard, CredentialsPaused
from tests.support.clocks import Clock


@pytest.fixture
def guard(clock: Clock) -> CredentialGuard:
    return CredentialGuard(refusals=3, pause=60.0, now=clock)


def refuse(guard: CredentialGuard, login: str = "login", times: int = 1) -> None:
    for _ in range(times):
        guard.refused(login)


def paused(guard: CredentialGuard, login: str = "login") -> float:
    with pytest.raises(CredentialsPaused) as caught:
        guard.check(login)
    return caught.value.retry_after


def test_an_unknown_login_may_be_tried(guard: CredentialGuard) -> None:
    guard.check("login")


def test_a_login_may_be_refused_a_few_times(guard: CredentialGuard) -> None:
    refuse(guard, times=2)
    guard.check("login")
    guard.check("login")


def test_then_it_is_not_tried_for_a_while(guard: CredentialGuard, clock: Clock) -> None:
    refuse(guard, times=3)
    assert paused(guard) == 60.0
    clock.now += 59.0
    assert paused(guard) == 1.0


def test_other_logins_are(guard: CredentialGuard) -> None:
    refuse(guard, times=3)
    guard.check("other")


def test_one_that_is_taken_is_forgiven(guard: CredentialGuard) -> None:
    refuse(guard, times=2)
    guard.accepted("login")
    refuse(guard, times=2)
    guard.check("login")


def test_taking_one_says_nothing_of_others(guard: CredentialGuard) -> None:
    guard.accepted("other")
    refuse(guard, times=3)
    guard.accepted("other")
    paused(guard)


def test_after_the_pause_one_call_tries(guard: CredentialGuard, clock: Clock) -> None:
    refuse(guard, times=3)
    clock.now += 60.0
    guard.check("login")
    assert paused(guard) == 10.0


def test_a_try_that_says_nothing_leaves_the_next_its_turn(guard: CredentialGuard, clock: Clock) -> None:
    refuse(guard, times=3)
    clock.now += 60.0
    guard.check("login")
    clock.now += 10.0
    guard.check("login")
    paused(guard)


def test_a_try_that_is_refused_begins_the_pause_anew(guard: CredentialGuard, clock: Clock) -> None:
    refuse(guard, times=3)
    clock.now += 60.0
    guard.check("login")
    refuse(guard)
    assert paused(guard) == 60.0


def test_a_try_that_is_taken_ends_it(guard: CredentialGuard, clock: Clock) -> None:
    refuse(guard, times=3)
    clock.now += 60.0
    guard.check("login")
    guard.accepted("login")
    guard.check("login")
    guard.check("login")


def test_tries_are_no_rarer_than_a_short_pause(clock: Clock) -> None:
    guard = CredentialGuard(refusals=1, pause=2.0, now=clock)
    refuse(guard)
    clock.now += 2.0
    guard.check("login")
    assert paused(guard) == 2.0


def test_the_one_refused_longest_ago_is_forgotten(guard: CredentialGuard) -> None:
    refuse(guard, "forgotten", times=3)
    refuse(guard, "kept", times=2)
    for number in range(9_998):
        refuse(guard, f"{number}")
    refuse(guard, "kept")
    refuse(guard, "one too many")
    paused(guard, "kept")
    guard.check("forgotten")
