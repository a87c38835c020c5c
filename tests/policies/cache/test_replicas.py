"""Two gateways on one store."""

import asyncio

import pytest

from app.policies.cache.invalidations import Invalidation
from app.policies.cache.model import Outcome
from app.policies.cache.valkey import ValkeyStore
from tests.policies.cache.conftest import (
    Clock,
    Platform,
    Replica,
    Replicas,
    eventually,
    make_place,
    replica_of,
    scripts_run,
)
from tests.policies.cache.proxy import Proxy
from tests.support.sockets import turn, until
from tests.support.valkey import ValkeyServer


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

    async def test_many_writes_at_once_are_confirmed(self, replicas: Replicas) -> None:
        one, other = replicas

        async def write(replica: Replica, tag: str) -> None:
            async with replica.cache.changing("acme", [tag], 5):
                pass

        await asyncio.gather(*(write(each, f"tag {number}") for number in range(100) for each in replicas))
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
        async with (
            proxy.running() as url,
            replica_of(valkey, platform) as one,
            replica_of(url, platform) as deaf,
        ):
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

    async def test_nor_what_it_held_before_once_it_hears_again(self, valkey: ValkeyServer) -> None:
        proxy, platform = Proxy(valkey.port), Platform(Clock())
        async with (
            proxy.running() as url,
            replica_of(valkey, platform) as one,
            replica_of(url, platform) as deaf,
        ):
            await hold_both((one, deaf))
            proxy.mute = True
            async with one.cache.changing("acme", ["lists"], 5):
                platform.value = "v2"
            await eventually(lambda: deaf.cache.find_local(make_place()) is None)
            proxy.mute = False
            assert isinstance(deaf.store, ValkeyStore)
            await eventually(deaf.store._link.trusted)
            assert await deaf.read() == ("v2", Outcome.MISS)
            assert deaf.observer.failures == []

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


class TestLookingUp:
    async def test_nobody_shares_a_lookup_from_before_a_write_that_has_ended(self, valkey: ValkeyServer) -> None:
        proxy, platform = Proxy(valkey.port), Platform(Clock())
        async with (
            proxy.running() as url,
            replica_of(valkey, platform) as one,
            replica_of(url, platform, local_bytes=0, timeout=5.0) as other,
        ):
            await one.read()
            with valkey.client() as client:
                looked = scripts_run(client)
                proxy.replies.clear()
                before = other.reading()
                await eventually(lambda: scripts_run(client) > looked)
                async with one.cache.changing("acme", ["lists"], 5):
                    platform.value = "v2"
                after = other.reading()
                await eventually(lambda: scripts_run(client) > looked + 3)
            proxy.replies.set()
            assert await before == ("v1", Outcome.HIT)
            assert await after == ("v2", Outcome.MISS)


class TestStopping:
    async def test_it_takes_no_time_whatever_is_under_way(self, valkey: ValkeyServer) -> None:
        for _ in range(10):
            async with asyncio.timeout(5), replica_of(valkey):
                with valkey.client() as client, client.pipeline(transaction=False) as pipeline:
                    for _ in range(50):
                        told = Invalidation("somebody", "tenant", ("lists",), confirm=True)
                        pipeline.publish("umail:cache:invalidations", told.encode())
                    pipeline.execute()
                await turn()
