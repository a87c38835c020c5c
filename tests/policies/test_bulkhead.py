"""One bulkhead: its slots, its queue, and whose turn it is."""

import asyncio
from itertools import chain, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.bulkhead import Full
from tests.support.bulkheads import FAR, Waiter, give_back, holds, let_pass, make, take, wait_for
from tests.support.clocks import Clock, settle


def served(waiters: dict[str, Waiter]) -> set[str]:
    return {name for name, waiter in waiters.items() if holds(waiter)}


async def test_slots_are_taken_at_once_while_there_are_some() -> None:
    bulkhead = make(3, queue=0)
    await take(bulkhead, 3)
    with pytest.raises(Full) as caught:
        await take(bulkhead)
    assert (caught.value.which, caught.value.retry_after) == ("upstream", 1.0)
    bulkhead.release(bulk=False)
    await take(bulkhead)


async def test_the_queue_is_bounded() -> None:
    bulkhead = make(queue=2)
    await take(bulkhead)
    first, second = await wait_for(bulkhead), await wait_for(bulkhead, "other")
    with pytest.raises(Full):
        await take(bulkhead)
    await give_back(bulkhead)
    third = await wait_for(bulkhead)
    assert (holds(first), holds(second), holds(third)) == (True, False, False)
    for waiter in second, third:
        await give_back(bulkhead)
        assert holds(waiter)


async def test_those_who_wait_come_before_those_who_come() -> None:
    bulkhead = make()
    await take(bulkhead)
    waiter = await wait_for(bulkhead)
    bulkhead.release(bulk=False)
    late = await wait_for(bulkhead, "late")
    assert holds(waiter)
    assert not holds(late)
    await give_back(bulkhead)
    assert holds(late)


def in_turns(owners: list[str]) -> list[str]:
    """Return owners in the order in which their calls are to be served."""
    queues = [[owner] * owners.count(owner) for owner in dict.fromkeys(owners)]
    return [owner for owner in chain.from_iterable(zip_longest(*queues)) if owner]


@given(st.lists(st.sampled_from("abcd"), max_size=30))
async def test_owners_take_turns(owners: list[str]) -> None:
    bulkhead = make(queue=100)
    await take(bulkhead)
    order: list[str] = []

    async def call(owner: str) -> None:
        await bulkhead.acquire(owner, bulk=False, until=FAR)
        order.append(owner)
        bulkhead.release(bulk=False)

    async with asyncio.TaskGroup() as group:
        for owner in owners:
            group.create_task(call(owner))
        await settle()
        bulkhead.release(bulk=False)
    assert order == in_turns(owners)
    assert bulkhead.idle


async def test_an_owner_who_comes_again_waits_behind_the_others() -> None:
    bulkhead = make()
    await take(bulkhead)
    waiters = {name: await wait_for(bulkhead, name) for name in ("one", "two")}
    await give_back(bulkhead)
    assert served(waiters) == {"one"}
    waiters["one again"] = await wait_for(bulkhead, "one")
    await give_back(bulkhead)
    assert served(waiters) == {"one", "two"}
    await give_back(bulkhead)
    assert served(waiters) == {"one", "two", "one again"}


class TestWaiting:
    async def test_it_ends_after_the_time_a_call_may_wait(self, ruling_clock: Clock) -> None:
        bulkhead = make(wait=2.0)
        await take(bulkhead)
        waiter = await wait_for(bulkhead)
        await let_pass(ruling_clock, 1.9)
        assert not holds(waiter)
        await let_pass(ruling_clock, 0.2)
        with pytest.raises(Full):
            await waiter
        bulkhead.release(bulk=False)
        assert bulkhead.idle

    async def test_it_ends_when_it_is_pointless(self, ruling_clock: Clock) -> None:
        bulkhead = make(wait=2.0)
        await take(bulkhead)
        waiter = await wait_for(bulkhead, until=ruling_clock.now + 1.0)
        await let_pass(ruling_clock, 1.1)
        with pytest.raises(Full):
            await waiter

    async def test_it_is_not_begun_when_it_is_pointless_already(self, ruling_clock: Clock) -> None:
        bulkhead = make()
        await take(bulkhead)
        waiter = await wait_for(bulkhead, until=ruling_clock.now - 1.0)
        with pytest.raises(Full):
            await waiter

    async def test_a_place_given_up_is_free_for_another(self, ruling_clock: Clock) -> None:
        bulkhead = make(queue=1, wait=2.0)
        await take(bulkhead)
        first = await wait_for(bulkhead)
        await let_pass(ruling_clock, 2.1)
        assert isinstance(first.exception(), Full)
        second = await wait_for(bulkhead)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        third = await wait_for(bulkhead)
        await give_back(bulkhead)
        assert holds(third)

    async def test_the_others_of_an_owner_stay_when_one_leaves(self) -> None:
        bulkhead = make()
        await take(bulkhead)
        first, second = await wait_for(bulkhead), await wait_for(bulkhead)
        first.cancel()
        await settle()
        await give_back(bulkhead)
        assert holds(second)


class TestBulk:
    async def test_bulk_calls_take_some_of_the_slots_only(self) -> None:
        bulkhead = make(4, 2, queue=0)
        await take(bulkhead, 2, bulk=True)
        with pytest.raises(Full):
            await take(bulkhead, bulk=True)
        await take(bulkhead, 2)
        with pytest.raises(Full):
            await take(bulkhead)

    async def test_others_pass_bulk_calls_that_wait(self) -> None:
        bulkhead = make(2, 1)
        await take(bulkhead, bulk=True)
        waiting = await wait_for(bulkhead, bulk=True)
        await take(bulkhead)
        assert not holds(waiting)
        await give_back(bulkhead, bulk=True)
        assert holds(waiting)

    async def test_a_slot_that_bulk_calls_may_not_take_goes_to_the_next_who_may(self) -> None:
        bulkhead = make(2, 1)
        await take(bulkhead, bulk=True)
        await take(bulkhead)
        bulk = await wait_for(bulkhead, bulk=True)
        same_owner, other = await wait_for(bulkhead), await wait_for(bulkhead, "other")
        await give_back(bulkhead)
        assert (holds(bulk), holds(same_owner), holds(other)) == (False, True, False)
        await give_back(bulkhead)
        assert (holds(bulk), holds(other)) == (False, True)
        await give_back(bulkhead, bulk=True)
        assert holds(bulk)

    async def test_a_bulk_call_waits_behind_those_who_wait(self) -> None:
        bulkhead = make(2, 1)
        await take(bulkhead, 2)
        waiters = {"first": await wait_for(bulkhead, "first"), "bulk": await wait_for(bulkhead, "bulk", bulk=True)}
        await give_back(bulkhead)
        assert served(waiters) == {"first"}
        await give_back(bulkhead)
        assert served(waiters) == {"first", "bulk"}

    async def test_bulk_calls_leave_others_their_places_in_the_queue(self) -> None:
        bulkhead = make(2, 1, queue=3)
        await take(bulkhead, bulk=True)
        await take(bulkhead)
        bulk = [await wait_for(bulkhead, bulk=True) for _ in range(3)]
        with pytest.raises(Full):
            await take(bulkhead, bulk=True)
        other = await wait_for(bulkhead)
        await give_back(bulkhead)
        assert holds(other)
        for waiter in bulk:
            await give_back(bulkhead, bulk=True)
            assert holds(waiter)


class TestResize:
    async def test_more_slots_go_to_those_who_wait(self) -> None:
        bulkhead = make(1)
        await take(bulkhead)
        waiters = [await wait_for(bulkhead) for _ in range(3)]
        bulkhead.resize(3, 3)
        await settle()
        assert [holds(waiter) for waiter in waiters] == [True, True, False]

    async def test_more_slots_for_bulk_calls_do_too(self) -> None:
        bulkhead = make(2, 1)
        await take(bulkhead, bulk=True)
        waiter = await wait_for(bulkhead, bulk=True)
        bulkhead.resize(2, 2)
        await settle()
        assert holds(waiter)

    async def test_slots_held_stay_held_when_there_are_fewer(self) -> None:
        bulkhead = make(3)
        await take(bulkhead, 3)
        bulkhead.resize(1, 1)
        waiter = await wait_for(bulkhead)
        await give_back(bulkhead)
        await give_back(bulkhead)
        assert not holds(waiter)
        await give_back(bulkhead)
        assert holds(waiter)
