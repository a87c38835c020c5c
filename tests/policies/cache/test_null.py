"""No cache."""

import pytest

from app.policies.cache.model import Cache, CacheOutcome, Directives, NothingStored, NullCache
from tests.policies.cache.conftest import Clock, Platform, make_key


async def test_every_read_is_fetched() -> None:
    cache: Cache = NullCache()
    platform = Platform(Clock())
    async with cache.running():
        for _ in range(2):
            served = await cache.read(make_key(), platform.fetch)
            assert (served.outcome, served.stored, served.age) == (CacheOutcome.BYPASS, False, 0)
        async with cache.changing("acme", ["lists"], 5):
            pass
        await cache.purge("acme", "lists")
        with pytest.raises(ValueError, match="belongs to a tenant"):
            await cache.purge(tag="lists")
        with pytest.raises(NothingStored):
            await cache.read(make_key(), platform.fetch, Directives(only_if_cached=True))
    assert platform.calls == 2
