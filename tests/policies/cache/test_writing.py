"""What a write does to what is cached, over every kind of store."""

import asyncio

import pytest

from app.policies.cache.model import CacheEntry, CacheOutcome
from tests.policies.cache.conftest import Replica, eventually, make_key, replica_of
from tests.support.sockets import turn, until
from tests.support.valkey import ValkeyServer


class TestAroundAWrite:
    async def test_what_it_touches_is_invalid_before_and_after_it(self, replica: Replica) -> None:
        await replica.read()
        async with replica.cache.changing("acme", ["lists"], 5):
            assert await replica.read() == ("v1", CacheOutcome.MISS)
            replica.platform.value = "v2"
        assert await replica.read() == ("v2", CacheOutcome.MISS)
        assert await replica.read() == ("v2", CacheOutcome.HIT)

    async def test_reads_during_it_are_not_stored(self, replica: Replica) -> None:
        async with replica.cache.changing("acme", ["lists"], 5):
            for _ in range(2):
                served = await replica.cache.read(make_key(), replica.platform.fetch)
                assert (served.outcome, served.stored) == (CacheOutcome.MISS, False)
            assert not await replica.keeps()

    async def test_other_tags_and_tenants_are_left_alone(self, replica: Replica) -> None:
        others = make_key("b", tags=("domains",)), make_key("c", tenant="rival")
        for place in others:
            await replica.read(place)
        async with replica.cache.changing("acme", ["lists", "contacts"], 5):
            for place in others:
                assert await replica.read(place) == ("v1", CacheOutcome.HIT)
        for place in others:
            assert await replica.read(place) == ("v1", CacheOutcome.HIT)

    async def test_without_tags_it_touches_nothing(self, replica: Replica) -> None:
        await replica.read()
        async with replica.cache.changing("acme", [], 5):
            assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def test_one_that_fails_counts_like_any(self, replica: Replica) -> None:
        await replica.read()
        with pytest.raises(RuntimeError):
            async with replica.cache.changing("acme", ["lists"], 5):
                raise RuntimeError
        assert await replica.read() == ("v1", CacheOutcome.MISS)
        assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def test_one_that_is_cancelled_counts_like_any(self, replica: Replica) -> None:
        await replica.read()
        inside = asyncio.Event()

        async def write() -> None:
            async with replica.cache.changing("acme", ["lists"], 5):
                inside.set()
                await asyncio.Event().wait()

        writing = asyncio.create_task(write())
        await inside.wait()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert await replica.read() == ("v1", CacheOutcome.MISS)
        assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def test_nothing_read_before_the_last_of_several_has_ended_is_kept(self, replica: Replica) -> None:
        async with replica.cache.changing("acme", ["lists"], 5):
            async with replica.cache.changing("acme", ["lists", "lists", "domains"], 5):
                await replica.read()
                assert not await replica.keeps()
            await replica.read()
        assert not await replica.keeps()
        await replica.read()
        assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def test_one_whose_process_died_is_over_after_its_time(self, valkey: ValkeyServer) -> None:
        async with replica_of(valkey) as replica:
            await self._die(replica)

    async def _die(self, replica: Replica) -> None:
        await replica.read()
        crashed = replica.cache.changing("acme", ["lists"], 0.3)
        await crashed.__aenter__()
        assert await replica.read() == ("v1", CacheOutcome.MISS)
        assert not await replica.keeps()
        found: list[bool] = []
        async with asyncio.timeout(10):
            while not any(found):
                await replica.read()
                found.append(await replica.keeps())
        await crashed.__aexit__(None, None, None)
        assert not await replica.keeps()


class TestReadsUnderWay:
    async def test_a_read_that_began_before_a_write_is_not_stored(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        reading = replica.reading()
        await until(lambda: replica.platform.calls == 1)
        async with replica.cache.changing("acme", ["lists"], 5):
            replica.platform.value = "v2"
        replica.platform.gate.set()
        assert await reading == ("v1", CacheOutcome.MISS)
        assert not await replica.keeps()
        assert await replica.read() == ("v2", CacheOutcome.MISS)

    async def test_nor_does_it_replace_what_was_stored_since(self, replica: Replica) -> None:
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def fetch_slowly() -> CacheEntry:
            answer = await replica.platform.fetch()
            asked.set()
            await go_on.wait()
            return answer

        reading = asyncio.create_task(replica.cache.read(make_key(), fetch_slowly))
        await asked.wait()
        async with replica.cache.changing("acme", ["lists"], 5):
            replica.platform.value = "v2"
        assert await replica.read() == ("v2", CacheOutcome.MISS)
        go_on.set()
        assert (await reading).stored is False
        assert await replica.read() == ("v2", CacheOutcome.HIT)

    async def test_a_read_that_began_during_a_write_is_not_stored(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        async with replica.cache.changing("acme", ["lists"], 5):
            reading = replica.reading()
            await until(lambda: replica.platform.calls == 1)
            replica.platform.value = "v2"
        replica.platform.gate.set()
        assert await reading == ("v1", CacheOutcome.MISS)
        assert await replica.read() == ("v2", CacheOutcome.MISS)

    async def test_a_read_that_begins_during_a_write_and_ends_in_it_is_not_stored(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        reading = replica.reading()
        await until(lambda: replica.platform.calls == 1)
        async with replica.cache.changing("acme", ["lists"], 5):
            replica.platform.gate.set()
            assert await reading == ("v1", CacheOutcome.MISS)
            replica.platform.value = "v2"
        assert await replica.read() == ("v2", CacheOutcome.MISS)

    async def test_nobody_joins_a_read_that_began_before_a_write_has_ended(self, replica: Replica) -> None:
        replica.platform.gate.clear()
        before = replica.reading()
        await until(lambda: replica.platform.calls == 1)
        async with replica.cache.changing("acme", ["lists"], 5):
            during = replica.reading()
            await until(lambda: replica.platform.calls == 2)
            replica.platform.value = "v2"
        after = replica.reading()
        await eventually(lambda: replica.platform.calls == 3)
        replica.platform.gate.set()
        assert [(await each)[0] for each in (before, during, after)] == ["v1", "v1", "v2"]


class TestPurging:
    @pytest.mark.parametrize(
        ("scope", "gone"),
        [
            ({}, {"acme/lists", "acme/domains", "rival/lists"}),
            ({"tenant": "acme"}, {"acme/lists", "acme/domains"}),
            ({"tenant": "acme", "tag": "lists"}, {"acme/lists"}),
        ],
    )
    async def test_it_removes_what_it_says(self, replica: Replica, scope: dict[str, str], gone: set[str]) -> None:
        places = {
            f"{tenant}/{tag}": make_key(tenant=tenant, tags=(tag,))
            for tenant, tag in (("acme", "lists"), ("acme", "domains"), ("rival", "lists"))
        }
        for place in places.values():
            await replica.read(place)
        await replica.cache.purge(**scope)
        found = {name for name, place in places.items() if await replica.keeps(place)}
        assert found == set(places) - gone

    async def test_a_tag_needs_its_tenant(self, replica: Replica) -> None:
        with pytest.raises(ValueError, match="belongs to a tenant"):
            await replica.cache.purge(tag="lists")


class TestCancellation:
    @pytest.mark.parametrize("times", [1, 3])
    async def test_it_does_not_keep_a_write_from_ending(self, replica: Replica, times: int) -> None:
        await replica.read()
        leave = asyncio.Event()
        writing = asyncio.create_task(self._write(replica, leave))
        await until(lambda: replica.observer.outcomes == [CacheOutcome.MISS] * 2)
        leave.set()
        for _ in range(times):
            await turn()
            writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await eventually(lambda: not replica.cache._endings)
        assert await replica.read() == ("v1", CacheOutcome.MISS)
        assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def test_a_write_that_is_cancelled_before_it_begins_leaves_no_mark(self, replica: Replica) -> None:
        writing = asyncio.create_task(self._write(replica, asyncio.Event()))
        await turn()
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        await eventually(lambda: not replica.cache._endings)
        await replica.read()
        assert await replica.read() == ("v1", CacheOutcome.HIT)

    async def _write(self, replica: Replica, leave: asyncio.Event) -> None:
        async with replica.cache.changing("acme", ["lists"], 60):
            await replica.read()
            await leave.wait()
