"""What one replica shows of another's writes while that other cannot tell anybody of them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest

from app.policies.cache.health import Health
from app.policies.cache.model import Outcome
from app.policies.cache.valkey import ValkeyStore
from tests.policies.cache.conftest import Clock, Platform, Replica, eventually, make_place, replica_of
from tests.policies.cache.outages import working, write
from tests.policies.cache.proxy import Proxy
from tests.support.valkey import ValkeyServer


@dataclass
class Pair:
    """One replica that reaches the store by a proxy and one that reaches it directly, in front of one platform."""

    apart: Replica
    other: Replica
    proxy: Proxy


@pytest.fixture
async def pair(server: ValkeyServer) -> AsyncIterator[Pair]:
    """Two replicas that hold the same answer."""
    proxy, platform = Proxy(server.port), Platform(Clock())
    async with proxy.running() as url, replica_of(url, platform) as apart, replica_of(server, platform) as other:
        for replica in (apart, other):
            await replica.read()
        yield Pair(apart, other, proxy)


def health_of(replica: Replica) -> Health:
    """Return what a replica knows of its store."""
    assert isinstance(replica.store, ValkeyStore)
    return replica.store._health


def _lost(replica: Replica) -> bool:
    return not health_of(replica).reachable


class TestCutOff:
    async def test_others_do_not_show_what_it_has_changed(self, pair: Pair) -> None:
        pair.proxy.cut()
        await write(pair.apart, "v2")
        assert await pair.other.read() == ("v2", Outcome.MISS)
        await write(pair.apart, "v3")
        assert await pair.other.read() == ("v3", Outcome.MISS)
        pair.proxy.mend()
        await working(pair.apart, "v3")
        await working(pair.other, "v3")

    async def test_a_write_that_was_kept_waiting_is_told_as_soon_as_it_can_be(self, pair: Pair) -> None:
        pair.proxy.cut()
        writing = asyncio.create_task(write(pair.apart, "v2"))
        await eventually(partial(_lost, pair.apart))
        pair.proxy.mend()
        await writing
        assert not _lost(pair.apart)
        assert await pair.other.read() == ("v2", Outcome.MISS)


class TestSilence:
    async def test_nothing_is_trusted_until_the_silent_one_is_taken_for_dead(
        self, server: ValkeyServer, pair: Pair
    ) -> None:
        with server.client() as client:
            seconds, _ = client.time()
            client.zadd("umail:cache:replicas", {"gone": seconds * 1000 - 3_500})
            await eventually(lambda: pair.other.cache.find_local(make_place()) is None)
            assert await pair.other.read() == ("v1", Outcome.MISS)
            assert "silence" in pair.other.observer.failures
            await working(pair.other, "v1")
            await eventually(lambda: client.zscore("umail:cache:replicas", "gone") is None)

    @pytest.mark.parametrize("age", [1_000, 9_000])
    async def test_one_that_was_silent_itself_looks_at_the_others_only(
        self, server: ValkeyServer, pair: Pair, age: int
    ) -> None:
        store = pair.other.store
        assert isinstance(store, ValkeyStore)
        with server.client() as client:
            now = client.time()[0] * 1000
            client.zadd("umail:cache:replicas", {store._link.replica: now - age})
            assert (await store.look(make_place(), afresh=True)).certain
            client.zadd("umail:cache:replicas", {store._link.replica: now - age, "gone": now - 1_000})
            assert not (await store.look(make_place(), afresh=True)).certain

    async def test_a_start_is_not_kept_waiting_by_it(self, server: ValkeyServer) -> None:
        with server.client() as client:
            seconds, _ = client.time()
            client.zadd("umail:cache:replicas", {"gone": seconds * 1000 - 1_000})
        async with asyncio.timeout(3), replica_of(server) as replica:
            assert await replica.read() == ("v1", Outcome.MISS)
            assert await replica.read() == ("v1", Outcome.MISS)

    async def test_one_that_ends_in_order_is_not_missed(self, server: ValkeyServer, pair: Pair) -> None:
        async with replica_of(server):
            with server.client() as client:
                assert client.zcard("umail:cache:replicas") == 3
        with server.client() as client:
            assert client.zcard("umail:cache:replicas") == 2
        assert await pair.other.read() == ("v1", Outcome.HIT)


class TestReturning:
    async def test_the_first_one_after_a_hang_waits_for_the_others(self, server: ValkeyServer, pair: Pair) -> None:
        server.pause()
        for replica in (pair.apart, pair.other):
            await eventually(partial(_lost, replica))
        pair.proxy.cut()
        await write(pair.apart, "v2")
        server.resume()
        await eventually(lambda: health_of(pair.other).up)
        assert await pair.other.read() == ("v2", Outcome.MISS)
        pair.proxy.mend()
        await working(pair.apart, "v2")
        await working(pair.other, "v2")

    @pytest.mark.parametrize("keep", [True, False])
    async def test_the_first_one_back_waits_for_the_others(self, server: ValkeyServer, pair: Pair, keep: bool) -> None:
        server.stop(keep=keep)
        pair.proxy.cut()
        for replica in (pair.apart, pair.other):
            await eventually(partial(_lost, replica))
        await write(pair.apart, "v2")
        server.start()
        await eventually(lambda: health_of(pair.other).reachable)
        await pair.other.read()
        await write(pair.apart, "v3")
        assert await pair.other.read() == ("v3", Outcome.MISS)
        pair.proxy.mend()
        await working(pair.apart, "v3")
        await working(pair.other, "v3")
