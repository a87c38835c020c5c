"""A gateway ends although the client of the shared store forgets cancellations."""

import asyncio
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from app.policies.cache.valkey import ValkeyStore
from app.storage.valkey import connect
from app.tenants.master_keys import MasterKey
from tests.support.valkey import ValkeyServer


class Forgetful(Redis):
    """Forgets a cancellation that comes with the reply to its second beat, as redis-py may do with any."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.beats = 0
        self.replied = asyncio.Event()

    async def eval(self, *arguments: Any) -> Any:
        reply = await super().eval(*arguments)
        self.beats += 1
        if self.beats == 2:
            self.replied.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return reply


async def test_keeping_up_with_other_replicas_ends(valkey: ValkeyServer) -> None:
    client = Forgetful(connection_pool=connect(valkey.url, timeout=5).connection_pool)
    store = ValkeyStore(client, MasterKey.random(), local_bytes=1024, timeout=5)

    async def use() -> None:
        async with store.running(lambda _reason: None):
            await client.replied.wait()

    using = asyncio.create_task(use())
    await asyncio.wait({using}, timeout=10)
    assert using.done()
    await client.connection_pool.disconnect()
