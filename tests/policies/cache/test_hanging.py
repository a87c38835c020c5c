"""What becomes of reads and writes while the store hangs."""

import asyncio
from typing import Any

from app.policies.cache.link import LEASE, TRUST
from app.policies.cache.model import Outcome
from tests.policies.cache.conftest import eventually, make_place, replica_of
from tests.policies.cache.outages import back, working, write
from tests.support.sockets import until
from tests.support.valkey import ValkeyServer

TIMEOUT = 0.2


async def seconds(reading: "asyncio.Task[Any]") -> float:
    """Return how long something takes."""
    started = asyncio.get_running_loop().time()
    await reading
    return asyncio.get_running_loop().time() - started


class TestHanging:
    async def test_no_read_waits_longer_than_one_timeout_and_the_next_not_at_all(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT, local_bytes=0) as replica:
            await replica.read()
            server.pause()
            assert await seconds(replica.reading()) < 2 * TIMEOUT
            readings = [replica.reading() for _ in range(50)]
            assert await seconds(asyncio.gather(*readings)) < TIMEOUT  # type: ignore[arg-type]

    async def test_a_write_waits_until_everybody_has_noticed_and_the_next_not_at_all(
        self, server: ValkeyServer
    ) -> None:
        async with replica_of(server, timeout=TIMEOUT, local_bytes=0) as replica:
            server.pause()
            assert TRUST <= await seconds(asyncio.create_task(write(replica, "v1"))) < LEASE + TRUST + 4 * TIMEOUT
            assert await seconds(asyncio.create_task(write(replica, "v2"))) < TIMEOUT

    async def test_a_read_that_timed_out_makes_nothing_invalid(self, server: ValkeyServer) -> None:
        async with replica_of(server, timeout=TIMEOUT, local_bytes=0) as replica:
            await replica.read()
            server.pause()
            assert await replica.read() == ("v1", Outcome.MISS)
            server.resume()
            replica.platform.value = "v2"
            await back(replica)
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
