"""Two gateways on one store."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.policies.cache.fetching import Fetcher
from app.policies.cache.model import Outcome
from tests.policies.cache.conftest import Clock, Platform, PlatformDown, Replica, eventually, make_place, replica_of
from tests.policies.cache.proxy import Proxy
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer

Replicas = tuple[Replica, Replica]


@pytest.fixture
async def replicas(valkey: ValkeyServer) -> AsyncIterator[Replicas]:
    """Two replicas in front of one platform."""
    platform = Platform(Clock())
    async with replica_of(valkey, platform) as one, replica_of(valkey, platform) as other:
        yield one, other


async def hold_both(replicas: Replicas) -> None:
    """Let both replicas hold the same answer in their first levels."""
    for replica in replicas:
        await replica.read()
        assert replica.cache.find_local(make_place()) is not None


class TestSharing:
    async def test_one_serves_what_the_other_fetched(self, replicas: Replicas) -> None:
        one, other = replicas
        await one.read()
        served = await other.cache.read(make_place(), other.platform.fetch)
        assert (served.answer.body, served.outcome, served.shared) == (b"v1", Outcome.HIT, True)
        assert one.platform.calls == 1

    async def test_one_revalidates_for_both(self, replicas: Replicas) -> None:
        one, other = replicas
        await hold_both(replicas)
        one.platform.value = "v2"
        one.platform.gate.clear()
        one.clock.advance(70)
        for replica in replicas:
            assert await replica.read() == ("v1", Outcome.STALE)
        await until(lambda: one.platform.calls == 2)
        one.platform.gate.set()
        for replica in (other, one):
            while (answer := await replica.read()) != ("v2", Outcome.HIT):
                assert answer == ("v1", Outcome.STALE)
        assert one.platform.calls == 2


class TestCoherence:
    async def test_a_write_is_seen_everywhere_once_it_has_ended(self, replicas: Replicas) -> None:
        one, other = replicas
        for number in range(20):
            await hold_both(replicas)
            async with one.cache.changing("acme", ["lists"], 5):
                one.platform.value = f"write {number}"
            assert other.cache.find_local(make_place()) is None
            assert (await other.read())[0] == f"write {number}"
        assert one.observer.failures == other.observer.failures == []

    @pytest.mark.parametrize("scope", [{}, {"tenant": "acme"}, {"tenant": "acme", "tag": "lists"}])
    async def test_so_is_a_purge(self, replicas: Replicas, scope: dict[str, str]) -> None:
        one, other = replicas
        await hold_both(replicas)
        await one.cache.purge(**scope)
        assert one.cache.find_local(make_place()) is None
        assert other.cache.find_local(make_place()) is None

    async def test_other_tenants_keep_what_they_have(self, replicas: Replicas) -> None:
        one, other = replicas
        await hold_both(replicas)
        async with one.cache.changing("rival", ["lists"], 5):
            pass
        assert other.cache.find_local(make_place()) is not None

    async def test_a_replica_that_does_not_confirm_is_not_waited_for_long(
        self, valkey: ValkeyServer, replicas: Replicas
    ) -> None:
        one, other = replicas
        await hold_both(replicas)
        with valkey.client() as client, client.pubsub() as silent:
            silent.subscribe("umail:cache:invalidations")
            silent.get_message(timeout=5)
            started = asyncio.get_running_loop().time()
            async with one.cache.changing("acme", ["lists"], 5):
                pass
            assert 0.4 < asyncio.get_running_loop().time() - started < 2
        assert one.observer.failures == ["acknowledge"]
        assert other.cache.find_local(make_place()) is None

    async def test_what_cannot_be_understood_may_mean_anything(self, valkey: ValkeyServer, replicas: Replicas) -> None:
        await hold_both(replicas)
        with valkey.client() as client:
            for message in ("[]", "{", '{"tenant": "?"}'):
                client.publish("umail:cache:invalidations", message)
        await eventually(lambda: [each.cache.find_local(make_place()) for each in replicas] == [None, None])
        assert await replicas[0].read() == ("v1", Outcome.HIT)


class TestHearing:
    async def test_a_replica_that_hears_nothing_does_not_trust_what_it_holds(self, valkey: ValkeyServer) -> None:
        proxy = Proxy(valkey.port)
        platform = Platform(Clock())
        async with proxy.running() as url, replica_of(valkey, platform) as one:
            behind = ValkeyServer.__new__(ValkeyServer)
            behind.url = url
            async with replica_of(behind, platform) as deaf:
                await hold_both((one, deaf))
                proxy.mute = True
                async with one.cache.changing("acme", ["lists"], 5):
                    platform.value = "v2"
                await eventually(lambda: deaf.cache.find_local(make_place()) is None)
                assert (await deaf.read())[0] == "v2"
                assert deaf.cache.find_local(make_place()) is None
                await eventually(lambda: "subscribe" in deaf.observer.failures)
                proxy.mute = False
                await self._hears_again(deaf)

    async def _hears_again(self, deaf: Replica) -> None:
        async with asyncio.timeout(20):
            while deaf.cache.find_local(make_place()) is None:
                await deaf.read()
                await asyncio.sleep(0.01)

    async def test_a_connection_that_was_lost_makes_everything_invalid(
        self, valkey: ValkeyServer, replicas: Replicas
    ) -> None:
        one, other = replicas
        await hold_both(replicas)
        with valkey.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await eventually(lambda: one.cache.find_local(make_place()) is None)
        one.platform.value = "v2"
        await self._hears_again(one)
        await self._hears_again(other)
        assert (await other.read())[0] == (await one.read())[0] == "v2"


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
        assert await one.cache.find(make_place()) is not None

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
