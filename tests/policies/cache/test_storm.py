"""Replicas that lose their store and find it again, each for itself and all together, while clients read and write.

`python -m tests.policies.cache.test_storm 600` does it for so many seconds.
"""

import asyncio
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from app.policies.cache.model import Answer, Outcome
from tests.policies.cache.conftest import Clock, Platform, Replica, make_answer, make_place, replica_of
from tests.policies.cache.proxy import Proxy
from tests.support.valkey import ValkeyServer

_REPLICAS = 3
_PLACES = tuple(make_place(letter, tags=("lists",)) for letter in "abcd")
_LONGEST = 2.0
"""Seconds for which one replica is cut off; below those after which it is taken for dead."""


@dataclass
class Storm:
    """What goes on.

    Args:
        server: the store.
        proxies: by which each replica reaches it.
        replicas: the replicas.
        chance: decides what happens.
        version: how many writes have reached the platform.
        ended: the largest version that a write had made when it ended.
        outcomes: how reads were answered.
        wrong: reads that showed less than had ended when they began.
        working: set once a read has been answered from the cache.
    """

    server: ValkeyServer
    proxies: list[Proxy]
    replicas: list[Replica]
    chance: random.Random
    version: int = 0
    ended: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    working: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self) -> Answer:
        """Answer what is true now, a little later."""
        version = self.version
        await asyncio.sleep(self.chance.random() / 200)
        return make_answer(str(version), self.replicas[0].clock())

    async def client(self) -> None:
        """Read and write at random replicas for ever."""
        while True:
            replica = self.chance.choice(self.replicas)
            if self.chance.random() < 0.05:
                await self._write(replica)
            else:
                await self._read(replica)
            await asyncio.sleep(self.chance.random() / 100)

    async def trouble(self) -> None:
        """Once the cache works, bring trouble and end it again, for ever."""
        await self.working.wait()
        while True:
            await self.chance.choice([self._cut, self._cut, self._hang, self._restart, self._restart])()
            await asyncio.sleep(self.chance.random() * 2)

    async def _read(self, replica: Replica) -> None:
        ended = self.ended
        served = await replica.cache.read(self.chance.choice(_PLACES), self.fetch)
        self.outcomes[served.outcome] += 1
        if served.outcome is Outcome.HIT:
            self.working.set()
        if int(served.answer.body) < ended:
            self.wrong.append(f"{served.answer.body!r} by {served.outcome}, not {ended}")

    async def _write(self, replica: Replica) -> None:
        async with replica.cache.changing("acme", ["lists"], 5):
            await asyncio.sleep(self.chance.random() / 200)
            self.version += 1
            version = self.version
        self.ended = max(self.ended, version)

    async def _while_away(self) -> None:
        await asyncio.sleep(self.chance.random() * _LONGEST)

    async def _cut(self) -> None:
        proxy = self.chance.choice(self.proxies)
        proxy.cut()
        await self._while_away()
        proxy.mend()

    async def _hang(self) -> None:
        self.server.pause()
        await self._while_away()
        self.server.resume()

    async def _restart(self) -> None:
        await asyncio.to_thread(self.server.stop, keep=self.chance.random() < 0.5)
        await self._while_away()
        await asyncio.to_thread(self.server.start)


async def weather(seed: int, seconds: float) -> Storm:
    """Let it storm for so many seconds and return what was seen."""
    server, platform = ValkeyServer(), Platform(Clock())
    async with AsyncExitStack() as stack:
        stack.callback(server.close)
        stack.callback(server.resume)
        server.start()
        proxies = [Proxy(server.port) for _ in range(_REPLICAS)]
        urls = [await stack.enter_async_context(proxy.running()) for proxy in proxies]
        replicas = [await stack.enter_async_context(replica_of(url, platform, timeout=0.25)) for url in urls]
        storm = Storm(server, proxies, replicas, random.Random(seed))
        tasks = [asyncio.create_task(work()) for work in (storm.trouble, *[storm.client] * 8)]
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            await task
        return storm


@pytest.mark.parametrize("seed", range(2))
async def test_no_read_shows_less_than_the_writes_that_had_ended(seed: int) -> None:
    storm = await weather(seed, 8)
    assert storm.wrong == []
    assert storm.outcomes[Outcome.HIT]
    assert storm.ended


if __name__ == "__main__":
    lasting = float(sys.argv[1])
    found = asyncio.run(weather(random.randrange(1_000_000), lasting))
    print(found.outcomes, f"{found.ended} writes,", f"{len(found.wrong)} wrong", found.wrong[:5])  # noqa: T201 - what the command is for
