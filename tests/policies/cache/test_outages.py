"""What becomes of reads and writes while the store is gone, and when it returns."""

import asyncio

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.policies.cache.model import Outcome
from app.policies.cache.valkey import ValkeyStore
from tests.policies.cache.conftest import (
    LOCAL_BYTES,
    MASTER_KEY,
    Clock,
    Platform,
    eventually,
    make_place,
    replica_of,
    replica_on,
)
from tests.policies.cache.outages import back, working, write
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer


class TestNoStore:
    async def test_reads_and_writes_go_on(self, server: ValkeyServer) -> None:
        server.stop()
        async with replica_of(server) as replica:
            assert {"subscribe"} == set(replica.observer.failures)
            for value in ("v1", "v2"):
                await write(replica, value)
                served = await replica.cache.read(make_place(), replica.platform.fetch)
                assert (served.answer.body.decode(), served.outcome, served.stored) == (value, Outcome.MISS, False)
            assert replica.cache.find_local(make_place()) is None
            await replica.cache.purge()

    async def test_reads_at_the_same_time_still_share_a_fetch_but_only_one_that_has_not_begun(
        self, server: ValkeyServer
    ) -> None:
        server.stop()
        async with replica_of(server) as replica:
            replica.platform.gate.clear()
            first = replica.reading()
            await until(lambda: replica.platform.calls == 1)
            # Somebody else's write, of which nobody can tell this replica.
            replica.platform.value = "v2"
            others = [replica.reading() for _ in range(100)]
            replica.platform.gate.set()
            assert await first == ("v1", Outcome.MISS)
            assert {await each for each in others} == {("v2", Outcome.MISS)}
            assert replica.platform.calls == 2

    async def test_nobody_waits_long_for_the_fetch_before(self, server: ValkeyServer) -> None:
        server.stop()
        async with replica_of(server) as replica:
            replica.platform.gate.clear()
            readings = [replica.reading(), replica.reading()]
            await eventually(lambda: replica.platform.calls == 2)
            replica.platform.gate.set()
            assert {await each for each in readings} == {("v1", Outcome.MISS)}


class TestStopAndStart:
    async def test_what_a_missed_write_changed_does_not_come_back(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
            server.stop(keep=True)
            await write(replica, "v2")
            server.start()
            await working(replica, "v2")

    async def test_nor_what_another_replica_missed(self, server: ValkeyServer) -> None:
        platform = Platform(Clock())
        async with replica_of(server, platform) as one, replica_of(server, platform) as other:
            await one.read()
            await other.read()
            server.stop(keep=True)
            await write(one, "v2")
            server.start()
            await asyncio.gather(working(one, "v2"), working(other, "v2"))

    async def test_nor_what_was_valid_before_the_store_went_back_in_time(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
            with server.client() as client:
                client.save()
                await write(replica, "v2")
                await replica.read()
            server.crash()
            server.start()
            await working(replica, "v2")

    async def test_a_write_around_the_return_is_obeyed(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
            server.stop(keep=True)
            async with replica.cache.changing("acme", ["lists"], 30):
                server.start()
                await back(replica)
                for _ in range(2):
                    assert await replica.read() == ("v1", Outcome.MISS)
                replica.platform.value = "v2"
            await working(replica, "v2")

    async def test_a_process_that_starts_in_an_outage_trusts_nothing_from_before(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
        server.stop(keep=True)
        async with replica_of(server) as replica:
            replica.platform.value = "v2"
            server.start()
            await working(replica, "v2")

    async def test_one_that_starts_in_peace_uses_what_is_there(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
        async with replica_of(server) as replica:
            assert await replica.read() == ("v1", Outcome.HIT)

    async def test_many_writes_do_not_keep_the_store_from_coming_back(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            server.stop()
            stop = asyncio.Event()

            async def keep_writing() -> None:
                while not stop.is_set():
                    async with replica.cache.changing("acme", ["domains"], 5):
                        await asyncio.sleep(0)

            writing = asyncio.create_task(keep_writing())
            server.start()
            await working(replica, "v1")
            stop.set()
            await writing


async def test_a_store_that_refuses_to_write_is_as_good_as_gone(server: ValkeyServer) -> None:
    async with replica_of(server) as replica:
        with server.client() as client:
            client.config_set("maxmemory", 1)
        assert await replica.read() == ("v1", Outcome.MISS)
        assert replica.observer.failures
        with server.client() as client:
            client.config_set("maxmemory", 0)
        await working(replica, "v1")


async def test_a_client_that_subscribes_again_by_itself_has_missed_something(server: ValkeyServer) -> None:
    async with Redis(port=server.port, retry=Retry(NoBackoff(), 3)) as client:
        store = ValkeyStore(client, MASTER_KEY, local_bytes=LOCAL_BYTES)
        async with replica_on(store) as replica:
            await replica.read()
            with server.client() as killer:
                killer.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            await eventually(lambda: "subscribe" in replica.observer.failures)
            replica.platform.value = "v2"
            await working(replica, "v2")
