"""Seeing a cache through an outage of its store."""

import asyncio

from app.policies.cache.model import Outcome
from app.policies.cache.valkey import ValkeyStore
from tests.policies.cache.conftest import Replica, eventually


async def working(replica: Replica, *values: str) -> None:
    """Read until the cache works again, and see none but these values meanwhile."""
    async with asyncio.timeout(20):
        while True:
            value, outcome = await replica.read()
            assert value in values
            if outcome is Outcome.HIT:
                return
            await asyncio.sleep(0.01)


async def back(replica: Replica) -> None:
    """Wait until the store is used again."""
    assert isinstance(replica.store, ValkeyStore)
    health = replica.store._health
    await eventually(lambda: health.up)


async def write(replica: Replica, value: str) -> None:
    """Change what the platform answers, as a client of the gateway."""
    async with replica.cache.changing("acme", ["lists"], 5):
        replica.platform.value = value
