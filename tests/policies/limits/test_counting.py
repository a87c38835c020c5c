"""What holds for limits wherever they are counted."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.policies.rate_limits import CountingWindow, MemoryRateLimiter, MemoryWindow, Quota, QuotaStatus, RateLimiter
from app.policies.rate_limits_in_valkey import ValkeyRateLimiter, ValkeyWindow
from tests.support.clocks import Clock
from tests.support.limiters import DAY, allowed, client_at
from tests.support.valkey import ValkeyServer


def unexpected() -> None:
    raise AssertionError("the store was there all the time")


@pytest.fixture(params=["memory", "valkey"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[RateLimiter]:
    if request.param == "memory":
        yield MemoryRateLimiter()
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    async with client_at(server.url) as client:
        yield ValkeyRateLimiter(client, unexpected, timeout=5.0)


@pytest.fixture(params=["memory", "valkey"])
async def window(request: pytest.FixtureRequest) -> AsyncIterator[CountingWindow]:
    if request.param == "memory":
        yield MemoryWindow()
        return
    server: ValkeyServer = request.getfixturevalue("valkey")
    async with client_at(server.url) as client:
        yield ValkeyWindow(client, unexpected, timeout=5.0)


@pytest.mark.parametrize("amount", [1, 3, 7, 100, 151, 600])
async def test_a_whole_quota_may_be_used_at_once(limiter: RateLimiter, amount: int) -> None:
    assert await allowed(limiter, Quota("tenant", amount, DAY), amount + 5) == amount


async def test_subjects_and_quotas_are_counted_apart(limiter: RateLimiter) -> None:
    for name, subject in (("tenant", "acme"), ("tenant", "rival"), ("key", "acme"), ("tenant", "acme/key")):
        assert await allowed(limiter, Quota(name, 2, DAY), 9, subject) == 2


async def test_what_is_left_is_reported(limiter: RateLimiter) -> None:
    quota = Quota("tenant", 120, DAY)
    decisions = [await limiter.hit([("acme", quota)]) for _ in range(121)]
    assert [decision.statuses[0].remaining for decision in decisions] == [*range(119, -1, -1), 0]
    resets = [decision.statuses[0].reset for decision in decisions]
    assert resets[0] == pytest.approx(720, abs=1)
    assert resets[119:] == [pytest.approx(DAY, abs=60)] * 2
    assert all(decision.retry_after == 0.0 for decision in decisions[:-1])
    assert decisions[-1].retry_after == pytest.approx(720, abs=60)
    assert decisions[-1].spent == quota


async def test_all_quotas_are_reported_in_their_order(limiter: RateLimiter) -> None:
    tenant, key = Quota("tenant", 5, DAY), Quota("key", 3, DAY)
    decision = await limiter.hit([("acme", tenant), ("acme/key", key)])
    assert [(each.quota, each.remaining) for each in decision.statuses] == [(tenant, 4), (key, 2)]
    assert decision.spent is None


@pytest.mark.parametrize("small", [0, 1])
async def test_one_spent_quota_refuses_and_nothing_is_counted(limiter: RateLimiter, small: int) -> None:
    quotas = [("acme", Quota("tenant", 5, DAY)), ("acme/key", Quota("key", 5, DAY))]
    quotas[small] = quotas[small][0], quotas[small][1]._replace(amount=1)
    assert (await limiter.hit(quotas)).allowed
    for _ in range(5):
        refused = await limiter.hit(quotas)
        assert (refused.allowed, refused.spent) == (False, quotas[small][1])
        assert [each.remaining for each in refused.statuses] == [0, 4][:: 1 if small == 0 else -1]
    subject, other = quotas[1 - small]
    assert await allowed(limiter, other, 9, subject) == 4


async def test_no_quotas_allow_everything(limiter: RateLimiter) -> None:
    decision = await limiter.hit([])
    assert (decision.allowed, decision.statuses) == (True, ())


async def test_a_quota_grows_back_unit_by_unit() -> None:
    clock = Clock(1000.0)
    limiter, quota = MemoryRateLimiter(clock), Quota("tenant", 6, 60)
    assert await allowed(limiter, quota, 10) == 6
    clock.now += 9.9
    refused = await limiter.hit([("acme", quota)])
    assert (refused.allowed, round(refused.retry_after, 3)) == (False, 0.1)
    clock.now += 0.1
    assert await allowed(limiter, quota, 10) == 1
    clock.now += 35
    assert await allowed(limiter, quota, 10) == 3
    clock.now += 1000
    assert await allowed(limiter, quota, 10) == 6


@given(st.integers(1, 50), st.lists(st.floats(0, 20), min_size=1, max_size=80))
async def test_no_stretch_of_time_sees_more_than_the_quota_and_what_grew_back(amount: int, gaps: list[float]) -> None:
    clock = Clock(0.0)
    limiter, quota = MemoryRateLimiter(clock), Quota("tenant", amount, 60)
    times = []
    for gap in gaps:
        clock.now += gap
        if (await limiter.hit([("acme", quota)])).allowed:
            times.append(clock.now)
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= amount + (times[last] - began) * amount / 60 + 0.001


async def test_memory_is_bounded() -> None:
    limiter, window, quota = MemoryRateLimiter(most=10), MemoryWindow(most=10), Quota("tenant", 2, DAY)
    for number in range(100):
        await limiter.hit([(f"tenant-{number}", quota)])
        await window.hit(f"tenant-{number}", quota)
        assert len(limiter._whole_at) <= 10
        assert len(window._times) <= 10
    assert await allowed(limiter, quota, 9, "tenant-99") == 1
    assert (await window.hit("tenant-99", quota)).statuses[0].remaining == 0


async def test_an_exact_window_allows_exactly_its_amount(window: CountingWindow) -> None:
    quota = Quota("campaigns", 3, DAY)
    decisions = [await window.hit("acme", quota) for _ in range(5)]
    assert [decision.allowed for decision in decisions] == [True, True, True, False, False]
    assert [decision.statuses[0].remaining for decision in decisions] == [2, 1, 0, 0, 0]
    assert [decision.retry_after > DAY - 100 for decision in decisions] == [False, False, False, True, True]
    assert (await window.hit("rival", quota)).allowed


async def test_an_exact_window_reports_when_there_is_more(window: CountingWindow) -> None:
    decision = await window.hit("acme", Quota("campaigns", 3, DAY))
    assert decision.statuses == (QuotaStatus(Quota("campaigns", 3, DAY), 2, decision.statuses[0].reset),)
    assert DAY - 100 < decision.statuses[0].reset <= DAY


async def test_an_exact_window_slides() -> None:
    clock = Clock(1000.0)
    window, quota = MemoryWindow(clock), Quota("campaigns", 2, 3600)
    assert (await window.hit("acme", quota)).allowed
    clock.now += 1800
    assert (await window.hit("acme", quota)).allowed
    refused = await window.hit("acme", quota)
    assert (refused.allowed, refused.retry_after) == (False, 1800)
    clock.now += 1799
    assert not (await window.hit("acme", quota)).allowed
    clock.now += 1
    assert (await window.hit("acme", quota)).allowed
    assert not (await window.hit("acme", quota)).allowed
