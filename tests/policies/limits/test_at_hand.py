"""What can be counted without waiting: the same as with waiting, and nothing by looking."""

from collections.abc import AsyncIterator

import pytest

from app.policies.limits.memory import MemoryRateLimiter
from app.policies.limits.model import Quota, RateLimiter
from app.policies.limits.shared import SharedRateLimiter
from tests.support.clocks import Clock
from tests.support.limiters import DAY, storage_at
from tests.support.valkey import ValkeyServer

TENANT, KEY = ("acme", Quota("tenant", 600, DAY)), ("acme/key", Quota("key", 300, DAY))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "shared"])
async def limiter(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[RateLimiter]:
    if request.param == "memory":
        yield MemoryRateLimiter(clock)
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    async with storage_at(server.url) as storage:
        yield SharedRateLimiter(storage, lambda: None, clock)


async def test_nothing_is_at_hand_of_whom_nobody_has_heard(limiter: RateLimiter) -> None:
    assert limiter.at_hand([TENANT]) is None


async def test_both_ways_together_allow_exactly_the_amount(limiter: RateLimiter) -> None:
    counted = waited = 0
    for _ in range(700):
        if (spend := limiter.at_hand([TENANT, KEY])) is not None:
            decision = spend()
            counted += 1
        else:
            decision = await limiter.hit([TENANT, KEY])
            waited += decision.allowed
        if decision.allowed:
            assert [each.quota for each in decision.standings] == [TENANT[1], KEY[1]]
            assert decision.standings[1].remaining == 300 - counted - waited
    assert counted + waited == 300
    assert counted > waited


async def test_looking_counts_nothing(limiter: RateLimiter) -> None:
    while limiter.at_hand([TENANT]) is None:
        await limiter.hit([TENANT])
    spend = [limiter.at_hand([TENANT]) for _ in range(1000)][-1]
    assert spend is not None
    before = (await limiter.hit([TENANT])).standings[0].remaining
    assert spend().standings[0].remaining == before - 1


async def test_all_quotas_must_be_at_hand(limiter: RateLimiter) -> None:
    while limiter.at_hand([TENANT]) is None:
        await limiter.hit([TENANT])
    assert limiter.at_hand([TENANT, KEY]) is None


async def test_what_was_counted_ahead_does_not_last(limiter: RateLimiter, clock: Clock) -> None:
    while limiter.at_hand([TENANT]) is None:
        await limiter.hit([TENANT])
    clock.now += DAY
    assert limiter.at_hand([TENANT]) is None


async def test_a_refusal_is_not_at_hand(limiter: RateLimiter) -> None:
    small = "acme", Quota("tenant", 2, DAY)
    assert [(await limiter.hit([small])).allowed for _ in range(3)] == [True, True, False]
    assert limiter.at_hand([small]) is None
