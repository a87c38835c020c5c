"""Commands that travel together."""

import asyncio

import pytest
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - the driver's own

from app.policies.cache.batches import Batches, Script
from app.storage.valkey import connect
from tests.support.servers import unused_port
from tests.support.valkey import ValkeyServer

ECHO = Script("return ARGV[1]")
BROKEN = Script("return redis.call('NONSENSE')")


class TestBatches:
    async def test_everyone_gets_their_own_reply(self, valkey: ValkeyServer) -> None:
        async with connect(valkey.url, timeout=5) as client:
            batches = Batches(client, 5)
            running = [asyncio.create_task(batches.run(ECHO, [], [f"{number}"])) for number in range(1000)]
            broken = asyncio.create_task(batches.run(BROKEN, [], []))
            assert [await each for each in running] == [b"%d" % number for number in range(1000)]
            with pytest.raises(ResponseError):
                await broken
            with valkey.client() as looking:
                assert looking.info("clients")["connected_clients"] <= 5

    async def test_large_ones_travel_apart(self, valkey: ValkeyServer) -> None:
        async with connect(valkey.url, timeout=5) as client:
            batches = Batches(client, 5)
            contents = [bytes([number]) * 200_000 for number in range(20)]
            assert await asyncio.gather(*(batches.run(ECHO, [], [each]) for each in contents)) == contents

    async def test_one_who_leaves_disturbs_nobody(self, valkey: ValkeyServer) -> None:
        async with connect(valkey.url, timeout=5) as client:
            batches = Batches(client, 5)
            leaving, staying = (asyncio.create_task(batches.run(ECHO, [], [each])) for each in ("a", "b"))
            await asyncio.sleep(0)
            leaving.cancel()
            assert await staying == b"b"
            await batches.aclose()

    async def test_all_who_wait_learn_that_the_store_is_gone(self) -> None:
        async with connect(f"redis://127.0.0.1:{unused_port()}/0", timeout=1) as client:
            batches = Batches(client, 1)
            running = [batches.run(ECHO, [], ["a"]) for _ in range(1000)]
            replies = await asyncio.gather(*running, return_exceptions=True)
            assert {type(each) for each in replies} == {ConnectionError}

    async def test_what_cannot_be_sent_is_an_error_and_not_silence(self, valkey: ValkeyServer) -> None:
        async with connect(valkey.url, timeout=5) as client:
            batches = Batches(client, 5)
            with pytest.raises(UnicodeEncodeError):
                await batches.run(ECHO, ["\ud800"], [])
            assert await batches.run(ECHO, [], ["a"]) == b"a"
