"""What holds for limits wherever they are counted."""

from collections.abc import AsyncIterator

import pytest

from app.policies.limits.campaigns import Window
from app.policies.limits.memory import MemoryRateLimiter, MemoryWindow
from app.policies.limits.model import Quota, RateLimiter, Standing
from app.policies.limits.shared import SharedRateLimiter, SharedWindow
from tests.support.limiters import DAY, allowed, storage_at
from tests.support.valkey import ValkeyServer


def unexpected() -> None:
    raise AssertionError("the store was there all the time")


@pytest.fixture(params=["memory", "shared"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[RateLimiter]:
    if request.param == "memory":
        yield MemoryRateLimiter()
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    async with storage_at(server.url) as storage:
        yield SharedRateLimiter(storage, unexpected)


@pytest.fixture(params=["memory", "shared"])
async def window(request: pytest.FixtureRequest) -> AsyncIterator[Window]:
    if request.param == "memory":
        yield MemoryWindow()
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    async with storage_at(server.url) as storage:
        yield SharedWindow(storage, unexpected)


@pytest.mark.parametrize("amount", [1, 3, 49, 50, 99, 100, 151, 600])
async def test_a_fresh_window_allows_exactly_its_amount(limiter: RateLimiter, amount: int) -> None:
    assert await allowed(limiter, Quota("tenant", amount, DAY), amount + 5) == amount


async def test_subjects_are_counted_apart(limiter: RateLimiter) -> None:
    quota = Quota("tenant", 2, DAY)
    assert await allowed(limiter, quota, 9, "acme") == 2
    assert await allowed(limiter, quota, 9, "rival") == 2


async def test_what_is_left_is_told(limiter: RateLimiter) -> None:
    quota = Quota("tenant", 120, DAY)
    decisions = [await limiter.hit([("acme", quota)]) for _ in range(121)]
    assert [decision.standings[0].remaining for decision in decisions] == [*range(119, -1, -1), 0]
    assert all(0.0 <= decision.standings[0].reset <= DAY for decision in decisions)
    assert all(decision.retry_after == 0.0 for decision in decisions[:-1])
    assert decisions[-1].retry_after == decisions[-1].standings[0].reset


async def test_all_quotas_are_told_in_their_order(limiter: RateLimiter) -> None:
    tenant, key = Quota("tenant", 5, DAY), Quota("key", 3, DAY)
    decision = await limiter.hit([("acme", tenant), ("acme/key", key)])
    assert [(each.quota, each.remaining) for each in decision.standings] == [(tenant, 4), (key, 2)]


async def test_the_last_quota_refuses_before_the_first_is_counted(limiter: RateLimiter) -> None:
    tenant, key = Quota("tenant", 5, DAY), Quota("key", 1, DAY)
    both = [("acme", tenant), ("acme/key", key)]
    assert (await limiter.hit(both)).allowed
    for _ in range(5):
        refused = await limiter.hit(both)
        assert (refused.allowed, [each.quota for each in refused.standings]) == (False, [key])
    assert await allowed(limiter, tenant, 9) == 4


async def test_the_first_quota_refuses_and_tells_of_both(limiter: RateLimiter) -> None:
    tenant, key = Quota("tenant", 1, DAY), Quota("key", 5, DAY)
    both = [("acme", tenant), ("acme/key", key)]
    assert (await limiter.hit(both)).allowed
    refused = await limiter.hit(both)
    assert [(each.quota, each.remaining) for each in refused.standings] == [(tenant, 0), (key, 3)]
    assert not refused.allowed


async def test_a_refusal_lasts_a_second_at_least(limiter: RateLimiter) -> None:
    quota = Quota("tenant", 1, 1)
    decisions = [await limiter.hit([("acme", quota)]) for _ in range(20)]
    refusals = [decision.retry_after for decision in decisions if not decision.allowed]
    assert set(refusals) == {1.0}


async def test_no_quotas_allow_everything(limiter: RateLimiter) -> None:
    decision = await limiter.hit([])
    assert (decision.allowed, decision.standings) == (True, ())


async def test_an_exact_window_allows_exactly_its_amount(window: Window) -> None:
    quota = Quota("campaigns", 3, DAY)
    decisions = [await window.hit("acme", quota) for _ in range(5)]
    assert [decision.allowed for decision in decisions] == [True, True, True, False, False]
    assert [decision.standings[0].remaining for decision in decisions] == [2, 1, 0, 0, 0]
    assert [decision.retry_after > DAY - 100 for decision in decisions] == [False, False, False, True, True]
    assert (await window.hit("rival", quota)).allowed


async def test_an_exact_window_tells_when_there_is_more(window: Window) -> None:
    decision = await window.hit("acme", Quota("campaigns", 3, DAY))
    assert decision.standings == (Standing(Quota("campaigns", 3, DAY), 2, decision.standings[0].reset),)
    assert DAY - 100 < decision.standings[0].reset <= DAY
