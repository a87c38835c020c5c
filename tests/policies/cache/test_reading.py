"""What a read is answered with, over every kind of store."""

import pytest

from app.policies.cache.model import CacheOutcome, NothingStored, Windows
from tests.policies.cache.conftest import PlatformDown, Replica, make_key
from tests.support.sockets import turn, until


class TestFreshness:
    async def test_what_was_fetched_is_served_until_it_is_no_longer_fresh(self, replica: Replica) -> None:
        assert await replica.read() == ("v1", CacheOutcome.MISS)
        replica.platform.value = "v2"
        replica.clock.advance(59)
        assert await replica.read() == ("v1", CacheOutcome.HIT)
        replica.clock.advance(61)
        assert await replica.read() == ("v2", CacheOutcome.MISS)
        assert replica.platform.calls == 2
        assert replica.observer.outcomes == [CacheOutcome.MISS, CacheOutcome.HIT, CacheOutcome.MISS]

    async def test_everything_about_an_answer_comes_back(self, replica: Replica) -> None:
        first = await replica.cache.read(make_key(), replica.platform.fetch)
        replica.clock.advance(10)
        found = await replica.cache.read(make_key(), replica.platform.fetch)
        assert found.entry == first.entry
        assert (found.outcome, found.age, found.stored, first.stored) == (CacheOutcome.HIT, 10, True, True)

    async def test_places_do_not_mix(self, replica: Replica) -> None:
        for value, place in (
            ("a", make_key("a")),
            ("b", make_key("b")),
            ("c", make_key("a", tenant="rival")),
            ("d", make_key("a", tags=("domains",))),
        ):
            replica.platform.value = value
            assert await replica.read(place) == (value, CacheOutcome.MISS)

    async def test_an_answer_without_lifetime_is_not_stored(self, replica: Replica) -> None:
        replica.platform.windows = Windows(0, 30, 300)
        for _ in range(2):
            served = await replica.cache.read(make_key(), replica.platform.fetch)
            assert (served.outcome, served.stored) == (CacheOutcome.BYPASS, False)
        assert replica.platform.calls == 2

    async def test_an_answer_that_took_longer_than_its_life_is_not_stored(self, replica: Replica) -> None:
        replica.platform.windows = Windows(5, 0, 0)
        replica.platform.gate.clear()
        reading = replica.reading()
        await until(lambda: replica.platform.calls == 1)
        replica.clock.advance(6)
        replica.platform.gate.set()
        assert await reading == ("v1", CacheOutcome.BYPASS)

    async def test_a_clock_that_is_behind_sees_no_negative_age(self, replica: Replica) -> None:
        await replica.read()
        replica.clock.advance(-5)
        served = await replica.cache.read(make_key(), replica.platform.fetch)
        assert (served.outcome, served.age) == (CacheOutcome.HIT, 0)


class TestNegativeCacheEntrys:
    async def test_they_are_served_while_fresh_and_never_stale(self, replica: Replica) -> None:
        replica.platform.found = False
        await replica.read()
        assert await replica.read() == ("v1", CacheOutcome.HIT)
        replica.clock.advance(61)
        replica.platform.errors = [PlatformDown()]
        with pytest.raises(PlatformDown):
            await replica.read()


class TestStaleWhileRevalidate:
    async def _revalidated(self, replica: Replica, value: str) -> None:
        while (answer := await replica.read()) != (value, CacheOutcome.HIT):
            assert answer == ("v1", CacheOutcome.STALE)
            await turn()

    async def test_a_stale_answer_is_served_at_once_and_fetched_anew_once(self, replica: Replica) -> None:
        await replica.read()
        replica.platform.value = "v2"
        replica.platform.gate.clear()
        replica.clock.advance(70)
        for _ in range(3):
            assert await replica.read() == ("v1", CacheOutcome.STALE)
        await until(lambda: replica.platform.calls == 2)
        replica.platform.gate.set()
        await self._revalidated(replica, "v2")
        assert replica.platform.calls == 2

    async def test_a_failed_revalidation_hurts_nobody(self, replica: Replica) -> None:
        await replica.read()
        replica.platform.errors = [PlatformDown()]
        replica.clock.advance(70)
        assert await replica.read() == ("v1", CacheOutcome.STALE)
        await until(lambda: replica.platform.calls == 2)
        await self._revalidated(replica, "v1")

    async def test_a_revalidation_ends_with_the_cache(self, replica: Replica) -> None:
        async with replica.cache.running():
            await replica.read()
            replica.platform.gate.clear()
            replica.clock.advance(70)
            await replica.read()
            await until(lambda: replica.platform.calls == 2)
        assert replica.platform.cancelled == 1


class TestStaleIfError:
    async def test_it_stands_in_for_a_failure_that_is_excused(self, replica: Replica) -> None:
        await replica.read()
        replica.clock.advance(359)
        replica.platform.errors = [PlatformDown()]
        served = await replica.cache.read(make_key(), replica.platform.fetch)
        assert (served.entry.body, served.outcome, served.age) == (b"v1", CacheOutcome.STALE_IF_ERROR, 359)

    async def test_not_for_one_that_is_not(self, replica: Replica) -> None:
        await replica.read()
        replica.clock.advance(100)
        replica.platform.errors = [RuntimeError("a fault")]
        with pytest.raises(RuntimeError, match="a fault"):
            await replica.read()
        assert replica.observer.outcomes[-1] is CacheOutcome.MISS

    async def test_not_for_ever(self, replica: Replica) -> None:
        await replica.read()
        replica.clock.advance(360)
        replica.platform.errors = [PlatformDown()]
        with pytest.raises(PlatformDown):
            await replica.read()

    async def test_not_if_a_write_came_between(self, replica: Replica) -> None:
        await replica.read()
        replica.clock.advance(100)
        replica.platform.errors = [PlatformDown()]
        replica.platform.gate.clear()
        reading = replica.reading()
        await until(lambda: replica.platform.calls == 2)
        async with replica.cache.changing("acme", ["lists"], 5):
            pass
        replica.platform.gate.set()
        with pytest.raises(PlatformDown):
            await reading

    async def test_errors_are_not_stored(self, replica: Replica) -> None:
        replica.platform.errors = [PlatformDown()]
        with pytest.raises(PlatformDown):
            await replica.read()
        assert await replica.read() == ("v1", CacheOutcome.MISS)


class TestDirectives:
    async def test_no_cache_asks_and_stores(self, replica: Replica) -> None:
        await replica.read()
        replica.platform.value = "v2"
        assert await replica.read(no_cache=True) == ("v2", CacheOutcome.FORCED)
        assert await replica.read() == ("v2", CacheOutcome.HIT)

    async def test_no_cache_gets_the_error(self, replica: Replica) -> None:
        await replica.read()
        replica.platform.errors = [PlatformDown()]
        with pytest.raises(PlatformDown):
            await replica.read(no_cache=True)
        assert replica.observer.outcomes[-1] is CacheOutcome.FORCED

    async def test_no_cache_does_not_join_what_began_before_nor_is_it_undone_by_it(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        earlier = replica.reading()
        await until(lambda: replica.platform.calls == 1)
        replica.platform.value = "v2"
        forced = replica.reading(no_cache=True)
        await until(lambda: replica.platform.calls == 2)
        later = replica.reading()
        replica.platform.gate.set()
        assert await earlier == ("v1", CacheOutcome.MISS)
        assert await forced == ("v2", CacheOutcome.FORCED)
        assert (await later)[0] == "v2"
        assert await replica.read() == ("v2", CacheOutcome.HIT)

    async def test_an_age_limits_hits(self, replica: Replica) -> None:
        assert await replica.read(max_age=10) == ("v1", CacheOutcome.MISS)
        replica.clock.advance(10)
        assert await replica.read(max_age=10) == ("v1", CacheOutcome.HIT)
        replica.clock.advance(1)
        replica.platform.value = "v2"
        assert await replica.read(max_age=10) == ("v2", CacheOutcome.FORCED)
        assert await replica.read(max_age=0) == ("v2", CacheOutcome.FORCED)
        replica.clock.advance(70)
        assert await replica.read(max_age=1000) == ("v2", CacheOutcome.FORCED)

    async def test_no_store_stores_nothing_and_joins_nobody(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        readings = [replica.reading(), replica.reading(no_store=True)]
        await until(lambda: replica.platform.calls == 2)
        replica.platform.gate.set()
        assert [(await each)[1] for each in readings] == [CacheOutcome.MISS, CacheOutcome.BYPASS]
        assert await replica.read(make_key("b"), no_store=True) == ("v1", CacheOutcome.BYPASS)
        assert not await replica.keeps(make_key("b"))
        replica.platform.errors = [PlatformDown()]
        with pytest.raises(PlatformDown):
            await replica.read(no_store=True)
        assert replica.observer.outcomes[-1] is CacheOutcome.BYPASS

    async def test_only_if_cached_never_fetches(self, replica: Replica) -> None:
        with pytest.raises(NothingStored):
            await replica.read(only_if_cached=True)
        await replica.read()
        assert await replica.read(only_if_cached=True) == ("v1", CacheOutcome.HIT)
        replica.clock.advance(70)
        assert await replica.read(only_if_cached=True) == ("v1", CacheOutcome.STALE)
        for directives in ({"no_cache": True}, {"no_store": True}, {"max_age": 1}):
            with pytest.raises(NothingStored):
                await replica.read(only_if_cached=True, **directives)
        replica.clock.advance(70)
        with pytest.raises(NothingStored):
            await replica.read(only_if_cached=True)
        assert replica.platform.calls == 1
