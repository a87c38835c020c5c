"""One fetch for many who ask at once, over every kind of store."""

import asyncio

import pytest

from app.policies.cache.model import CacheOutcome
from tests.policies.cache.conftest import PlatformDown, Replica, eventually
from tests.support.sockets import until


class TestCoalescing:
    async def test_a_thousand_misses_make_one_fetch(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        readings = [replica.reading() for _ in range(1000)]
        await eventually(lambda: replica.platform.calls > 0)
        replica.platform.gate.set()
        outcomes = [outcome for _, outcome in await asyncio.gather(*readings)]
        assert (replica.platform.calls, outcomes.count(CacheOutcome.MISS)) == (1, 1)
        assert set(outcomes) <= {CacheOutcome.MISS, CacheOutcome.COLLAPSED, CacheOutcome.HIT}
        assert replica.observer.failures == []

    async def test_a_leader_that_leaves_fails_nobody(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        leader, follower = replica.reading(), replica.reading()
        await until(lambda: replica.platform.calls == 1)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        replica.platform.gate.set()
        assert await follower == ("v1", CacheOutcome.COLLAPSED)
        assert (replica.platform.calls, replica.platform.cancelled) == (1, 0)

    async def test_a_fetch_that_nobody_waits_for_ends(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        readings = [replica.reading() for _ in range(3)]
        await until(lambda: replica.platform.calls == 1)
        for reading in readings:
            reading.cancel()
        await asyncio.gather(*readings, return_exceptions=True)
        await until(lambda: replica.platform.cancelled == 1)
        replica.platform.gate.set()
        assert await replica.read() == ("v1", CacheOutcome.MISS)

    async def test_a_failed_leader_has_one_successor(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        replica.platform.errors = [PlatformDown("first")]
        readings = [replica.reading() for _ in range(10)]
        await until(lambda: replica.platform.calls == 1)
        await eventually(lambda: len(asyncio.all_tasks()) > 10)
        replica.platform.gate.set()
        answers = await asyncio.gather(*readings, return_exceptions=True)
        failed = [each for each in answers if isinstance(each, Exception)]
        assert list(map(str, failed)) == ["first"]
        assert replica.platform.calls == 2

    async def test_the_successors_error_goes_to_all_the_rest(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        replica.platform.errors = [PlatformDown("first"), *(PlatformDown("second") for _ in range(9))]
        readings = [replica.reading() for _ in range(10)]
        await until(lambda: replica.platform.calls == 1)
        replica.platform.gate.set()
        answers = await asyncio.gather(*readings, return_exceptions=True)
        assert sorted(map(str, answers)) == ["first", *["second"] * 9]
        assert replica.platform.calls == 2
