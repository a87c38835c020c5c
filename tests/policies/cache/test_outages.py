"""What becomes of reads and writes while the store is gone, and when it returns."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
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
    Replica,
    eventually,
    make_place,
    replica_of,
    replica_on,
)
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer

TIMEOUT = 0.2


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    """A server of the test's own, running."""
    made = ValkeyServer()
    made.start()
    yield made
    made.resume()
    made.close()


async def working(replica: Replica, *values: str) -> None:
    """Read until the cache works again, and see none but these values meanwhile."""
    async with asyncio.timeout(20):
        while True:
            value, outcome = await replica.read()
            assert value in values
            if outcome is Outcome.HIT:
                return
            await asyncio.sleep(0.01)


async def seconds(reading: "asyncio.Task[Any]") -> float:
    """Return how long something takes."""
    started = asyncio.get_running_loop().time()
    await reading
    return asyncio.get_running_loop().time() - started


async def write(replica: Replica, value: str) -> None:
    """Change what the platform answers, as a client of the gateway."""
    async with replica.cache.changing("acme", ["lists"], 5):
        replica.platform.value = value


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

    async def test_reads_at_the_same_time_still_share_a_fetch_but_not_across_a_write(
        self, server: ValkeyServer
    ) -> None:
        server.stop()
        async with replica_of(server) as replica:
            replica.platform.gate.clear()
            before = [replica.reading() for _ in range(100)]
            await until(lambda: replica.platform.calls == 1)
            await write(replica, "v2")
            after = [replica.reading() for _ in range(100)]
            await until(lambda: replica.platform.calls == 2)
            replica.platform.gate.set()
            assert {(await each)[0] for each in before} == {"v1"}
            assert {(await each)[0] for each in after} == {"v2"}

    async def test_nobody_joins_a_fetch_of_more_than_a_moment_ago(self, server: ValkeyServer) -> None:
        server.stop()
        monotonic = Clock()
        async with replica_of(server, clock=monotonic) as replica:
            replica.platform.gate.clear()
            readings = [replica.reading()]
            await until(lambda: replica.platform.calls == 1)
            monotonic.advance(1)
            readings.append(replica.reading())
            await until(lambda: replica.platform.calls == 2)
            replica.platform.gate.set()
            await asyncio.gather(*readings)


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
            server._process.kill()  # type: ignore[union-attr]
            server._process.wait()  # type: ignore[union-attr]
            server.start()
            await working(replica, "v2")

    async def test_a_write_around_the_return_is_obeyed(self, server: ValkeyServer) -> None:
        async with replica_of(server) as replica:
            await replica.read()
            server.stop(keep=True)
            async with replica.cache.changing("acme", ["lists"], 30):
                server.start()
                await eventually(lambda: replica.store._health.up)  # type: ignore[attr-defined]
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


class TestHanging:
    async def test_no_request_waits_longer_than_one_timeout_and_the_next_not_at_all(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT, local_bytes=0) as replica:
            await replica.read()
            server.pause()
            assert await seconds(replica.reading()) < 2 * TIMEOUT
            readings = [replica.reading() for _ in range(50)]
            assert await seconds(asyncio.gather(*readings)) < TIMEOUT  # type: ignore[arg-type]
            assert await seconds(asyncio.create_task(write(replica, "v1"))) < TIMEOUT

    async def test_a_read_that_timed_out_makes_nothing_invalid(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT, local_bytes=0) as replica:
            await replica.read()
            server.pause()
            assert await replica.read() == ("v1", Outcome.MISS)
            server.resume()
            replica.platform.value = "v2"
            await eventually(lambda: replica.store._health.up)  # type: ignore[attr-defined]
            assert await replica.read() == ("v1", Outcome.HIT)

    async def test_a_write_that_timed_out_does(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT) as replica:
            await replica.read()
            server.pause()
            await write(replica, "v2")
            assert replica.cache.find_local(make_place()) is None
            server.resume()
            await working(replica, "v2")

    async def test_it_is_found_out_without_a_request(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT) as replica:
            await replica.read()
            server.pause()
            await eventually(lambda: "heartbeat" in replica.observer.failures)
            assert replica.cache.find_local(make_place()) is None

    async def test_an_answer_that_cannot_be_stored_is_served(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT) as replica:
            replica.platform.gate.clear()
            reading = replica.reading()
            await until(lambda: replica.platform.calls == 1)
            server.pause()
            replica.platform.gate.set()
            assert await reading == ("v1", Outcome.MISS)

    async def test_a_start_is_not_kept_waiting(self, server: ValkeyServer) -> None:
        server.pause()
        async with asyncio.timeout(5), replica_of(server, timeout=TIMEOUT) as replica:
            assert await replica.read() == ("v1", Outcome.MISS)


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
