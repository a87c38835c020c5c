"""One fetch for all replicas."""

import pytest

from app.policies.cache.fetching import Fetcher
from app.policies.cache.model import Outcome
from tests.policies.cache.conftest import PlatformDown, Replicas, eventually, make_place
from tests.support.sockets import until


class TestOneFetch:
    async def test_a_thousand_misses_make_one_fetch(self, replicas: Replicas) -> None:
        one, other = replicas
        one.platform.gate.clear()
        readings = [replica.reading() for _ in range(500) for replica in replicas]
        await eventually(lambda: one.platform.calls > 0)
        one.platform.gate.set()
        outcomes = [(await each)[1] for each in readings]
        assert (one.platform.calls, outcomes.count(Outcome.MISS)) == (1, 1)
        assert one.observer.failures == other.observer.failures == []

    async def test_a_failed_leader_is_succeeded_by_the_other(self, replicas: Replicas) -> None:
        one, other = replicas
        one.platform.errors = [PlatformDown()]
        one.platform.gate.clear()
        leader = one.reading()
        await until(lambda: one.platform.calls == 1)
        follower = other.reading()
        await eventually(lambda: other.cache._flights._current != {})
        one.platform.gate.set()
        with pytest.raises(PlatformDown):
            await leader
        assert await follower == ("v1", Outcome.MISS)
        assert one.platform.calls == 2

    async def test_waiters_go_on_when_a_write_keeps_the_leaders_answer_out(self, replicas: Replicas) -> None:
        one, other = replicas
        one.platform.gate.clear()
        leader = one.reading()
        await until(lambda: one.platform.calls == 1)
        follower = other.reading()
        await eventually(lambda: other.cache._flights._current != {})
        async with one.cache.changing("acme", ["lists"], 5):
            await eventually(lambda: one.platform.calls == 2)
            one.platform.value = "v2"
        one.platform.gate.set()
        assert [await leader, await follower] == [("v1", Outcome.MISS)] * 2
        assert await other.read() == ("v2", Outcome.MISS)

    async def test_what_a_leader_may_not_store_is_not_waited_for(self, replicas: Replicas) -> None:
        one, other = replicas
        one.platform.windows = type(one.platform.windows)(0, 0, 0)
        one.platform.gate.clear()
        leader = one.reading()
        await until(lambda: one.platform.calls == 1)
        follower = other.reading()
        await eventually(lambda: other.cache._flights._current != {})
        one.platform.gate.set()
        assert [await leader, await follower] == [("v1", Outcome.BYPASS)] * 2

    async def test_a_leader_that_crashed_is_waited_for_no_longer_than_a_fetch_takes(self, replicas: Replicas) -> None:
        one, other = replicas
        lookup = await one.store.look(make_place())
        assert await one.store.acquire(make_place(), lookup, 60)
        assert await other.store.acquire(make_place(), lookup, 60) is None
        fetcher = Fetcher(other.store, excuses=lambda _: False, seconds=0.05, now=other.clock)
        other.cache._fetcher = fetcher
        assert await other.read() == ("v1", Outcome.MISS)
        assert await one.read() == ("v1", Outcome.HIT)

    async def test_a_leader_that_is_cancelled_gives_its_turn_back(self, replicas: Replicas) -> None:
        one, other = replicas
        one.platform.gate.clear()
        leader = one.reading()
        await until(lambda: one.platform.calls == 1)
        follower = other.reading()
        leader.cancel()
        await eventually(lambda: one.platform.calls == 2)
        one.platform.gate.set()
        assert await follower == ("v1", Outcome.MISS)
