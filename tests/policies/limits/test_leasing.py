"""What a shared limit takes ahead of need: nothing from those who ask rarely, little from those who ask at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from app.policies.limits.model import Decision, Quota
from app.policies.limits.shared import SharedRateLimiter, storage_of
from app.storage.valkey import connect
from tests.support.valkey import ValkeyServer

QUOTA = Quota("tenant", 600, 3600)


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Counting:
    """A limiter on a store of its own, whose commands are counted."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.failures = 0
        self.client: Redis = connect(url, timeout=5)
        self.limiter = SharedRateLimiter(storage_of(url, self.client), self._failed, self.clock)

    def _failed(self) -> None:
        self.failures += 1

    async def hit(self) -> Decision:
        return await self.limiter.hit([("acme", QUOTA)])

    async def scripts_run(self) -> int:
        found = await self.client.info("commandstats")
        return sum(found.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


@pytest.fixture
async def counting(valkey: ValkeyServer) -> AsyncIterator[Counting]:
    counting = Counting(valkey.url)
    yield counting
    await counting.client.aclose(close_connection_pool=True)


def remaining(decision: Decision) -> int:
    assert decision.allowed
    return decision.standings[0].remaining


class TestLeases:
    async def test_who_asks_rarely_uses_up_no_more_than_asked_for(self, counting: Counting) -> None:
        for asked in range(1, 100):
            assert remaining(await counting.hit()) == QUOTA.amount - asked
            counting.clock.time += 1.1

    async def test_who_asks_often_goes_to_the_store_rarely(self, counting: Counting) -> None:
        before = await counting.scripts_run()
        for _ in range(300):
            await counting.hit()

        assert await counting.scripts_run() - before < 100

    async def test_the_quota_can_be_used_to_its_end_and_no_further(self, counting: Counting) -> None:
        decisions = await asyncio.gather(*(counting.hit() for _ in range(700)))

        assert sum(decision.allowed for decision in decisions) == QUOTA.amount

    async def test_a_lease_shrinks_to_what_was_used_of_the_one_before(self, counting: Counting) -> None:
        for _ in range(20):
            await counting.hit()
        counting.clock.time += 1.1
        left = remaining(await counting.hit())
        for _ in range(20):
            counting.clock.time += 1.1
            await counting.hit()

        assert left - remaining(await counting.hit()) <= 40
