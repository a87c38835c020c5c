"""Bulkheads while calls come, go, time out and are cancelled in the same turn of the event loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.bulkhead import Bulkhead, Full
from tests.support.bulkheads import FAR, give_back, holds, let_pass, make, take, wait_for
from tests.support.clocks import Clock, ruling, settle

LIMIT, BULK_LIMIT, QUEUE = 2, 1, 4


@pytest.mark.parametrize("release_at", [4.9, 5.1], ids=["served first", "leaving first"])
@pytest.mark.parametrize("error", [Full, asyncio.CancelledError])
async def test_a_slot_goes_on_from_one_who_leaves_in_the_turn_in_which_it_is_given(
    ruling_clock: Clock, error: type[BaseException], release_at: float
) -> None:
    bulkhead, loop, start = make(wait=100.0), asyncio.get_running_loop(), ruling_clock.now
    await take(bulkhead)
    leaving = await wait_for(bulkhead, "leaving", until=start + 5.0 if error is Full else FAR)
    staying = await wait_for(bulkhead, "staying")
    if error is asyncio.CancelledError:
        loop.call_at(start + 5.0, leaving.cancel)
    loop.call_at(start + release_at, lambda: bulkhead.release(bulk=False))
    await let_pass(ruling_clock, 6.0)
    with pytest.raises(error):
        await leaving
    assert holds(staying)
    await give_back(bulkhead)
    assert bulkhead.idle
    await take(bulkhead)


async def test_a_slot_left_by_the_last_one_who_waited_goes_to_one_who_came_meanwhile() -> None:
    bulkhead = make()
    await take(bulkhead)
    leaving = await wait_for(bulkhead, "leaving")
    coming = asyncio.create_task(bulkhead.acquire("coming", bulk=False, until=FAR))
    leaving.cancel()
    bulkhead.release(bulk=False)
    await settle()
    assert holds(coming)


async def test_a_call_cancelled_and_out_of_time_at_once_is_cancelled(ruling_clock: Clock) -> None:
    bulkhead = make(wait=5.0)
    await take(bulkhead)
    leaving = await wait_for(bulkhead)
    asyncio.get_running_loop().call_at(ruling_clock.now + 5.1, leaving.cancel)
    await let_pass(ruling_clock, 6.0)
    with pytest.raises(asyncio.CancelledError):
        await leaving
    bulkhead.release(bulk=False)
    assert bulkhead.idle


@dataclass
class Crowd:
    """Calls of one bulkhead, and what is known of them from outside."""

    clock: Clock
    bulkhead: Bulkhead = field(default_factory=lambda: make(LIMIT, BULK_LIMIT, queue=QUEUE, wait=5.0))
    limit: int = LIMIT
    bulk_limit: int = BULK_LIMIT
    excess: tuple[int, int] = (0, 0)
    tasks: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)
    waiting: dict[int, bool] = field(default_factory=dict)
    held: dict[int, bool] = field(default_factory=dict)

    async def call(self, number: int, owner: str, *, bulk: bool, seconds: float) -> None:
        self.waiting[number] = bulk
        try:
            await self.bulkhead.acquire(owner, bulk=bulk, until=self.clock.now + seconds)
        except Full:
            return
        finally:
            del self.waiting[number]
        self.held[number] = bulk
        self.check_limits()

    def begin(self, owner: str, bulk: bool, seconds: float) -> None:
        number = len(self.tasks)
        self.tasks[number] = asyncio.create_task(self.call(number, owner, bulk=bulk, seconds=seconds))

    def release(self, which: int) -> None:
        if self.held:
            number = list(self.held)[which % len(self.held)]
            self.bulkhead.release(bulk=self.held.pop(number))
            self.excess = self.over()

    def cancel(self, which: int) -> None:
        if self.waiting:
            self.tasks[list(self.waiting)[which % len(self.waiting)]].cancel()

    def over(self) -> tuple[int, int]:
        """Return the slots held beyond what there are now, all and those of bulk calls."""
        return max(len(self.held), self.limit), max(sum(self.held.values()), self.bulk_limit)

    async def resize(self, limit: int, bulk_limit: int) -> None:
        await settle()
        self.limit, self.bulk_limit = limit, min(limit, bulk_limit)
        self.excess = self.over()
        self.bulkhead.resize(self.limit, self.bulk_limit)

    def check_limits(self) -> None:
        most, most_bulk = self.excess
        assert len(self.held) <= max(most, self.limit)
        assert sum(self.held.values()) <= max(most_bulk, self.bulk_limit)

    async def check_settled(self) -> None:
        """Check that nobody waits for a slot that is free."""
        await settle()
        self.check_limits()
        for number, bulk in self.waiting.items():
            full = len(self.held) >= self.limit
            assert full or (bulk and sum(self.held.values()) >= self.bulk_limit), number
        for bulk in (False, True):
            assert list(self.waiting.values()).count(bulk) <= QUEUE

    async def end(self) -> None:
        """End all calls and check that no slot is lost or was made up."""
        await settle()
        while self.waiting or self.held:
            self.cancel(0)
            self.release(0)
            await settle()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        assert self.bulkhead.idle
        await take(self.bulkhead, self.bulk_limit, bulk=True)
        await take(self.bulkhead, self.limit - self.bulk_limit)
        with pytest.raises(Full):
            await self.bulkhead.acquire("late", bulk=False, until=self.clock.now)


numbers = st.integers(0, 9)
steps = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from("abc"), st.booleans(), st.sampled_from([0.0, 1.0, 3.0, 60.0])),
    st.tuples(st.just("release"), numbers),
    st.tuples(st.just("cancel"), numbers),
    st.tuples(st.just("pass"), st.sampled_from([0.0, 1.0, 3.0])),
    st.tuples(st.just("turn")),
    st.tuples(st.just("settle")),
    st.tuples(st.just("resize"), st.integers(1, 5), st.integers(1, 5)),
)


async def carry_out(crowd: Crowd, step: tuple[object, ...]) -> None:
    name, *arguments = step
    actions: dict[object, Callable[..., object]] = {
        "begin": crowd.begin,
        "release": crowd.release,
        "cancel": crowd.cancel,
        "pass": lambda seconds: setattr(crowd.clock, "now", crowd.clock.now + seconds),
        "turn": lambda: asyncio.sleep(0),
        "settle": crowd.check_settled,
        "resize": crowd.resize,
    }
    done = actions[name](*arguments)
    if asyncio.iscoroutine(done):
        await done


@given(st.lists(steps, max_size=60))
async def test_slots_are_neither_lost_nor_made_up(program: list[tuple[object, ...]]) -> None:
    clock = Clock(1000.0)
    with ruling(clock):
        crowd = Crowd(clock)
        for owner in "abc"[:LIMIT] + "ab":
            crowd.begin(owner, bulk=False, seconds=60.0)
        await settle()
        for step in program:
            await carry_out(crowd, step)
            crowd.check_limits()
        await crowd.check_settled()
        await crowd.end()
