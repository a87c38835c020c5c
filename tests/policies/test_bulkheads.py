"""The bulkheads of tenants and platforms together."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.bulkhead import Bulkheads, Full
from tests.support.bulkheads import FAR
from tests.support.clocks import Clock, ruling, settle

UPSTREAM_LIMIT = 3


def make(*, upstream_limit: int = UPSTREAM_LIMIT, export_share: float = 0.5, queue: int = 10) -> Bulkheads:
    return Bulkheads(upstream_limit=upstream_limit, export_share=export_share, queue=queue, wait=5.0)


@asynccontextmanager
async def slot(
    bulkheads: Bulkheads,
    tenant: str = "acme",
    upstream: str = "platform",
    *,
    tenant_limit: int = 2,
    bulk: bool = False,
    deadline: float = FAR,
) -> AsyncIterator[None]:
    slots = bulkheads.slots(upstream=upstream, tenant=tenant, tenant_limit=tenant_limit, bulk=bulk, deadline=deadline)
    await slots.take()
    try:
        yield
    finally:
        slots.give_back()


@asynccontextmanager
async def held(*slots: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
    """Hold slots in calls of their own."""
    done = asyncio.Event()

    async def hold(each: AbstractAsyncContextManager[None]) -> None:
        async with each:
            await done.wait()

    async with asyncio.TaskGroup() as group:
        for each in slots:
            group.create_task(hold(each))
        await settle()
        try:
            yield
        finally:
            done.set()


async def refusal(bulkheads: Bulkheads, tenant: str = "acme", *, tenant_limit: int = 2, bulk: bool = False) -> str:
    with pytest.raises(Full) as caught:
        async with slot(bulkheads, tenant, tenant_limit=tenant_limit, bulk=bulk):
            pass
    return caught.value.which


async def test_a_tenant_has_its_slots() -> None:
    bulkheads = make(queue=0)
    async with held(slot(bulkheads), slot(bulkheads)):
        assert await refusal(bulkheads) == "tenant"
        async with slot(bulkheads, "rival"):
            pass
    async with slot(bulkheads):
        pass


async def test_a_platform_has_its_slots() -> None:
    bulkheads = make(queue=0)
    async with held(slot(bulkheads), slot(bulkheads), slot(bulkheads, "rival")):
        assert await refusal(bulkheads, "rival") == "upstream"
        async with slot(bulkheads, "rival", "other platform"):
            pass
    async with slot(bulkheads, "rival"):
        pass


async def test_a_tenant_and_a_platform_of_one_name_are_two() -> None:
    async with slot(make(upstream_limit=1, queue=0), "same", "same", tenant_limit=1):
        pass


async def test_one_who_waits_for_the_tenant_holds_nothing_of_the_platform() -> None:
    bulkheads = make(upstream_limit=2)
    mine = held(slot(bulkheads, tenant_limit=1), slot(bulkheads, tenant_limit=1))
    async with mine, slot(bulkheads, "rival", deadline=0.0):
        pass


async def test_a_tenant_that_is_refused_by_the_platform_has_its_slot_back() -> None:
    bulkheads = make(upstream_limit=1, queue=0)
    async with held(slot(bulkheads, "rival")):
        for _ in range(3):
            assert await refusal(bulkheads, tenant_limit=1) == "upstream"


@pytest.mark.parametrize(("share", "most"), [(0.5, 2), (0.0, 1), (0.74, 2), (1.0, 4)])
async def test_bulk_calls_have_a_share(share: float, most: int) -> None:
    bulkheads = make(upstream_limit=100, export_share=share, queue=0)
    async with held(*(slot(bulkheads, tenant_limit=4, bulk=True) for _ in range(most))):
        assert await refusal(bulkheads, tenant_limit=4, bulk=True) == "tenant"
        async with held(*(slot(bulkheads, tenant_limit=4) for _ in range(4 - most))):
            assert await refusal(bulkheads, tenant_limit=4) == "tenant"


async def test_bulk_calls_have_a_share_of_the_platform() -> None:
    bulkheads = make(upstream_limit=4, queue=0)
    async with held(*(slot(bulkheads, f"tenant {number}", bulk=True) for number in range(2))):
        assert await refusal(bulkheads, "late", bulk=True) == "upstream"
        async with held(*(slot(bulkheads, f"tenant {number}") for number in range(2))):
            pass


async def test_a_new_limit_counts_at_once() -> None:
    bulkheads = make(queue=0)
    async with held(slot(bulkheads, tenant_limit=1)):
        assert await refusal(bulkheads, tenant_limit=1) == "tenant"
        async with slot(bulkheads, tenant_limit=2):
            pass


async def test_what_is_idle_is_forgotten() -> None:
    bulkheads = make(queue=0)
    with pytest.raises(KeyError):
        async with slot(bulkheads):
            raise KeyError
    async with held(slot(bulkheads, tenant_limit=1)):
        await refusal(bulkheads, tenant_limit=1)
        assert set(bulkheads._bulkheads) == {("tenant", "acme"), ("upstream", "platform")}
    assert not bulkheads._bulkheads


calls = st.tuples(
    st.sampled_from(["acme", "rival"]),
    st.booleans(),
    st.integers(0, 4),
    st.sampled_from([0.0, 2.0, 60.0]),
    st.none() | st.integers(0, 8),
)


@given(st.lists(calls, max_size=30), st.lists(st.sampled_from([0.0, 0.0, 1.0, 6.0]), min_size=20, max_size=20))
async def test_limits_hold_whatever_comes_and_goes(
    calls: list[tuple[str, bool, int, float, int | None]], pauses: list[float]
) -> None:
    clock, bulkheads, under_way = Clock(1000.0), make(queue=4), Counter[str]()

    async def call(tenant: str, turns: int, deadline: float, *, bulk: bool) -> None:
        async with slot(bulkheads, tenant, bulk=bulk, deadline=clock.now + deadline):
            under_way.update((tenant, "all", f"bulk {bulk}"))
            assert under_way[tenant] <= 2
            assert under_way["all"] <= UPSTREAM_LIMIT
            assert under_way["bulk True"] <= 1
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
            finally:
                under_way.subtract((tenant, "all", f"bulk {bulk}"))

    with ruling(clock):
        begun: list[tuple[asyncio.Task[None], int | None]] = []
        waiting = list(calls)
        for turn, pause in enumerate(pauses):
            for tenant, bulk, turns, deadline, cancelled_at in waiting[:4]:
                begun.append((asyncio.create_task(call(tenant, turns, deadline, bulk=bulk)), cancelled_at))
            del waiting[:4]
            for task, cancelled_at in begun:
                if cancelled_at == turn:
                    task.cancel()
            clock.now += pause
            await asyncio.sleep(0)
        clock.now += 100.0
        results = await asyncio.gather(*(task for task, _ in begun), return_exceptions=True)
    assert all(result is None or isinstance(result, Full | asyncio.CancelledError) for result in results), results
    assert not bulkheads._bulkheads
