"""Limits that processes share: what they allow together, and what they do without the store."""

import asyncio

import pytest

from app.policies.rate_limits import UNLIMITED, Quota
from app.policies.rate_limits_in_valkey import ValkeyRateLimiter, ValkeyWindow
from tests.support.clocks import Clock
from tests.support.limiters import DAY, allowed, client_at
from tests.support.valkey import ValkeyServer

QUOTA = Quota("tenant", 600, DAY)


class Failures:
    """Counts failures of the store."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self) -> None:
        """Count one."""
        self.number += 1


async def test_processes_together_allow_exactly_the_quota(valkey: ValkeyServer) -> None:
    failures = Failures()
    async with client_at(valkey.url) as first, client_at(valkey.url) as second:
        limiters = [ValkeyRateLimiter(client, failures, timeout=5.0) for client in (first, second)]
        hits = [limiter.hit([("acme", QUOTA)]) for _ in range(320) for limiter in limiters]
        assert sum(decision.allowed for decision in await asyncio.gather(*hits)) == QUOTA.amount
    assert failures.number == 0


async def test_what_is_counted_expires_when_it_no_longer_matters(valkey: ValkeyServer) -> None:
    async with client_at(valkey.url) as client:
        await ValkeyRateLimiter(client, Failures(), timeout=5.0).hit([("acme", Quota("tenant", 60, 60))])
        await ValkeyWindow(client, Failures(), timeout=5.0).hit("acme", Quota("campaigns", 2, 3600))
        assert 0 < await client.pttl("umail:limit:tenant:acme") <= 1000
        assert 3_590_000 < await client.pttl("umail:limit:campaigns:acme") <= 3_600_000


async def test_a_quota_grows_back(valkey: ValkeyServer) -> None:
    async with client_at(valkey.url) as client:
        limiter, quota = ValkeyRateLimiter(client, Failures(), timeout=5.0), Quota("tenant", 20, 1)
        assert await allowed(limiter, quota, 20) == 20
        async with asyncio.timeout(10):
            while not (decision := await limiter.hit([("acme", quota)])).allowed:
                assert 0 < decision.retry_after <= 0.05
                await asyncio.sleep(decision.retry_after)


async def test_while_the_store_is_gone_everything_is_allowed(server: ValkeyServer) -> None:
    failures, clock = Failures(), Clock()
    async with client_at(server.url, 0.2) as client:
        limiter = ValkeyRateLimiter(client, failures, timeout=0.2, now=clock)
        window = ValkeyWindow(client, failures, timeout=0.2, now=clock)
        assert await allowed(limiter, Quota("tenant", 1, DAY), 3) == 1
        server.stop()
        for _ in range(3):
            assert await limiter.hit([("acme", QUOTA)]) == UNLIMITED
            assert await window.hit("acme", QUOTA) == UNLIMITED
        assert failures.number == 2
        clock.now += 0.5
        await asyncio.gather(*(limiter.hit([("acme", QUOTA)]) for _ in range(10)))
        assert failures.number == 3
        server.start()
        clock.now += 0.5
        assert await allowed(limiter, Quota("tenant", 1, DAY), 3) == 1


async def test_a_store_that_hangs_keeps_one_request_waiting(server: ValkeyServer) -> None:
    failures = Failures()
    async with client_at(server.url, 0.2) as client:
        limiter = ValkeyRateLimiter(client, failures, timeout=0.2, now=Clock())
        server.pause()
        assert await allowed(limiter, Quota("tenant", 1, DAY), 20) == 20
        assert failures.number == 1
        server.resume()


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru"])
async def test_a_full_store_refuses_nobody(server: ValkeyServer, policy: str) -> None:
    async with client_at(server.url) as client:
        limiter = ValkeyRateLimiter(client, Failures(), timeout=5.0)
        await client.config_set("maxmemory-policy", policy)
        await client.config_set("maxmemory", 1)
        assert await allowed(limiter, QUOTA, 20) == 20
