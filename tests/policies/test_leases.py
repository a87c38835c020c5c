"""Rights that are renewed in the background."""

import asyncio
from contextlib import suppress

import pytest

from app.policies.leases import Lease
from tests.support.leases import Rounds


class Unreachable(Exception):
    """The renewal could not be asked for."""


class Right:
    """A right whose renewals end as the test says."""

    def __init__(self) -> None:
        self.outcomes: list[bool | Exception] = []
        self.renewals = 0

    async def renew(self) -> bool:
        self.renewals += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def rounds() -> Rounds:
    """The time, which the test lets go by."""
    return Rounds()


def make_lease(right: Right, rounds: Rounds) -> Lease:
    """Return a lease of nine seconds."""
    return Lease(right.renew, seconds=9, failure=Unreachable, sleep=rounds.sleep, clock=rounds.clock)


async def test_it_is_renewed_three_times_as_often_as_it_must(rounds: Rounds) -> None:
    right = Right()
    right.outcomes = [True, True]
    lease = make_lease(right, rounds)
    for _ in range(2):
        await rounds.wake()
        rounds.now += 3
    await rounds.asleep()
    assert (right.renewals, rounds.slept) == (2, [3, 3, 3])
    await lease.stop()


async def test_it_is_held_as_long_as_the_last_renewal_lasts(rounds: Rounds) -> None:
    right = Right()
    right.outcomes = [True]
    lease = make_lease(right, rounds)
    rounds.now = 8.9
    assert lease.held
    await rounds.wake()
    await rounds.asleep()
    rounds.now = 17.8
    assert lease.held
    rounds.now = 17.9
    assert not lease.held
    await lease.stop()


async def test_failures_are_tried_again_but_prolong_nothing(rounds: Rounds) -> None:
    right = Right()
    right.outcomes = [Unreachable(), True]
    lease = make_lease(right, rounds)
    rounds.now = 3
    await rounds.wake()
    await rounds.asleep()
    rounds.now = 9
    assert not lease.held
    await rounds.wake()
    await rounds.asleep()
    assert lease.held
    await lease.stop()


async def test_a_lost_right_is_not_renewed_again(rounds: Rounds) -> None:
    right = Right()
    right.outcomes = [False]
    lease = make_lease(right, rounds)
    await rounds.wake()
    async with asyncio.timeout(5):
        await asyncio.wait({lease._task})
    assert not lease.held
    assert len(rounds.slept) == 1
    await lease.stop()


async def test_it_lasts_from_when_it_was_asked_for(rounds: Rounds) -> None:
    right = Right()
    rounds.now = 5
    lease = Lease(right.renew, seconds=9, failure=Unreachable, sleep=rounds.sleep, clock=rounds.clock, since=1)
    rounds.now = 10
    assert not lease.held
    await lease.stop()


async def test_stopping_twice_is_harmless(rounds: Rounds) -> None:
    lease = make_lease(Right(), rounds)
    await lease.stop()
    await lease.stop()


async def test_stopping_ends_even_if_a_renewal_swallows_it(rounds: Rounds) -> None:
    asked = asyncio.Event()

    async def renew() -> bool:
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return True

    lease = Lease(renew, seconds=9, failure=Unreachable, sleep=rounds.sleep, clock=rounds.clock)
    await rounds.wake()
    await asked.wait()
    async with asyncio.timeout(5):
        await lease.stop()
