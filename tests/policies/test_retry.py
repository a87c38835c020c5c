"""Trying again: what is, how often, how late and after what waits."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.retry import Retrier, RetryBudget, RetryPolicy
from tests.support.clocks import Clock, ruling

FAR = 1e9


class Trouble(Exception):
    """What a try ends in; `wait` is what the other side asked for."""

    def __init__(self, number: int = 0, wait: float | None = None) -> None:
        super().__init__(number)
        self.wait = wait


class Calls:
    """Fails as often as it is told to, then returns the number of the try."""

    def __init__(self, failures: int = 0, wait: float | None = None, takes: float = 0.0) -> None:
        self.numbers: list[int] = []
        self.began: list[float] = []
        self.raised: list[Trouble] = []
        self._failures = failures
        self._wait = wait
        self._takes = takes

    async def __call__(self, number: int) -> int:
        self.numbers.append(number)
        self.began.append(asyncio.get_running_loop().time())
        if self._takes:
            asyncio.get_running_loop().time.now += self._takes  # type: ignore[attr-defined]  # a Clock rules
        if number > self._failures:
            return number
        self.raised.append(Trouble(number, self._wait))
        raise self.raised[-1]


async def run(
    attempt: Callable[[int], Awaitable[int]],
    *,
    policy: RetryPolicy | None = None,
    clock: Clock | None = None,
    budget: RetryBudget | None = None,
    deadline: float = FAR,
    repeatable: bool = True,
    random: float = 1.0,
) -> int:
    retrier = Retrier(
        policy or RetryPolicy(attempts=3, base=0.1, cap=2.0),
        budget=budget or RetryBudget(reserve=1000.0),
        sleep=(clock or Clock()).sleep,
        random=lambda: random,
    )
    return await retrier.run(
        attempt,
        upstream="platform",
        deadline=deadline,
        repeatable=lambda error: repeatable and isinstance(error, Trouble),
        wait_hint=lambda error: getattr(error, "wait", None),
    )


async def test_success_needs_one_try() -> None:
    calls, clock = Calls(), Clock()
    assert await run(calls, clock=clock) == 1
    assert (calls.numbers, clock.slept) == ([1], [])


async def test_a_failure_is_followed_by_another_try() -> None:
    calls = Calls(failures=2)
    assert await run(calls) == 3
    assert calls.numbers == [1, 2, 3]


async def test_the_last_error_is_raised_as_it_was() -> None:
    calls = Calls(failures=9)
    with pytest.raises(Trouble) as caught:
        await run(calls)
    assert calls.numbers == [1, 2, 3]
    assert caught.value is calls.raised[-1]
    assert caught.value.__cause__ is None


async def test_what_is_not_repeatable_is_raised_at_once() -> None:
    calls, clock = Calls(failures=9), Clock()
    with pytest.raises(Trouble) as caught:
        await run(calls, clock=clock, repeatable=False)
    assert caught.value is calls.raised[0]
    assert (calls.numbers, clock.slept) == ([1], [])


async def test_an_error_after_a_repeatable_one_is_judged_anew() -> None:
    async def attempt(number: int) -> int:
        raise Trouble(number) if number == 1 else KeyError(number)

    with pytest.raises(KeyError, match="2"):
        await run(attempt)


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
async def test_what_is_no_error_is_not_judged(error: type[BaseException]) -> None:
    tries = 0

    async def attempt(number: int) -> int:
        nonlocal tries
        tries += 1
        raise error

    retrier = Retrier(RetryPolicy(), budget=RetryBudget())
    with pytest.raises(error):
        await retrier.run(
            attempt, upstream="platform", deadline=FAR, repeatable=lambda _: True, wait_hint=lambda _: None
        )
    assert tries == 1


async def test_cancelling_ends_the_wait() -> None:
    waiting = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    calls = Calls(failures=9)
    retrier = Retrier(RetryPolicy(), budget=RetryBudget(), sleep=sleep)
    task = asyncio.create_task(
        retrier.run(calls, upstream="platform", deadline=FAR, repeatable=lambda _: True, wait_hint=lambda _: None)
    )
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls.numbers == [1]


async def test_waits_double_up_to_the_cap() -> None:
    clock = Clock()
    with pytest.raises(Trouble):
        await run(Calls(failures=9), clock=clock, policy=RetryPolicy(attempts=6, base=0.5, cap=3.0))
    assert clock.slept == [0.5, 1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(("random", "waits"), [(0.0, [0.0, 0.0]), (0.25, [0.025, 0.05])])
async def test_waits_are_spread_over_their_whole_range(random: float, waits: list[float]) -> None:
    clock = Clock()
    await run(Calls(failures=2), clock=clock, random=random)
    assert clock.slept == waits


@pytest.mark.parametrize(("hint", "waits"), [(7.0, [7.0, 7.0]), (0.15, [0.15, 0.2]), (0.0, [0.1, 0.2])])
async def test_waits_are_at_least_what_was_asked_for(hint: float, waits: list[float]) -> None:
    clock = Clock()
    await run(Calls(failures=2, wait=hint), clock=clock)
    assert clock.slept == waits


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    clock = Clock()
    with ruling(clock):
        calls = Calls(failures=9, wait=5.0)
        with pytest.raises(Trouble):
            await run(calls, clock=clock, deadline=clock.now + 5.0)
    assert (calls.numbers, clock.slept) == ([1], [])


async def test_a_wait_within_the_deadline_is() -> None:
    clock = Clock()
    with ruling(clock):
        calls = Calls(failures=1, wait=5.0)
        assert await run(calls, clock=clock, deadline=clock.now + 5.1) == 2
    assert clock.slept == [5.0]


@given(
    left=st.floats(-1, 30),
    takes=st.floats(0, 5),
    hint=st.none() | st.floats(0, 10),
    random=st.floats(0, 1),
    attempts=st.integers(1, 12),
)
async def test_no_try_begins_after_the_deadline(
    left: float, takes: float, hint: float | None, random: float, attempts: int
) -> None:
    clock = Clock()
    deadline = clock.now + left
    calls = Calls(failures=99, wait=hint, takes=takes)
    with ruling(clock), pytest.raises(Trouble):
        await run(
            calls, clock=clock, deadline=deadline, random=random, policy=RetryPolicy(attempts=attempts, base=1, cap=4)
        )
    assert len(calls.numbers) <= attempts
    assert all(began < deadline for began in calls.began[1:])


async def test_retries_end_with_the_budget() -> None:
    clock = Clock()
    budget = RetryBudget(ratio=0.2, reserve=3.0, now=clock)
    tries = 0
    for _ in range(100):
        calls = Calls(failures=9)
        with pytest.raises(Trouble):
            await run(calls, budget=budget)
        tries += len(calls.numbers)
    assert tries == 100 + 3 + 20


async def test_a_retry_for_which_there_is_no_time_is_not_paid() -> None:
    clock = Clock()
    budget = RetryBudget(ratio=0.2, reserve=1.0, now=clock)
    with pytest.raises(Trouble):
        await run(Calls(failures=9), budget=budget, deadline=0.0)
    assert budget.take("platform")
