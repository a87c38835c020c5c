"""Limits over a real store, and asking them many times."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from app.policies.rate_limits import Quota, RateLimiter
from app.storage.valkey import connect

DAY = 86_400
"""A window that does not end within a test."""


@asynccontextmanager
async def client_at(url: str, seconds: float = 5.0) -> AsyncIterator[Redis]:
    """Connect to a store as the service does."""
    client = connect(url, timeout=seconds)
    try:
        yield client
    finally:
        await client.aclose()


async def allowed(limiter: RateLimiter, quota: Quota, times: int, subject: str = "acme") -> int:
    """Ask so many times and return how often it was allowed."""
    return sum([(await limiter.hit([(subject, quota)])).allowed for _ in range(times)])
