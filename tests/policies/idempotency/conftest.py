"""Stores of idempotency keys of every kind."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.asyncio import Redis

from app.policies.idempotency import Claim, IdempotencyStore, MemoryIdempotencyStore, Record
from app.policies.idempotency.valkey import ValkeyIdempotencyStore
from app.storage.valkey import connect
from app.tenants.master_keys import MasterKey
from tests.support.leases import never
from tests.support.valkey import ValkeyServer

MASTER_KEY = MasterKey(b"m" * 32)
SOON = 0.02
"""A lease that is over soon, because those who hold it here do not renew it."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The same keys as two replicas have them; neither renews leases."""

    one: IdempotencyStore
    other: IdempotencyStore


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Redis]:
    """A client of an empty server."""
    client = connect(valkey.url, timeout=5)
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "valkey"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Two empty stores, one pair of each kind in turn."""
    if request.param == "memory":
        memory = MemoryIdempotencyStore(sleep=never)
        return Stores(memory, memory)
    client: Redis = request.getfixturevalue("redis")
    return Stores(*(ValkeyIdempotencyStore(client, MASTER_KEY, sleep=never) for _ in range(2)))


async def ask(store: IdempotencyStore, **changes: Any) -> Claim | Record:
    """Ask for the acme's key."""
    arguments: dict[str, Any] = {
        "tenant": "acme",
        "key": "key",
        "head": "head",
        "body": "body",
        "request_id": "request-1",
        "lease": 60.0,
    }
    return await store.claim(**{**arguments, **changes})


async def claim(store: IdempotencyStore, **changes: Any) -> Claim:
    """Claim the acme's key, which must be free."""
    result = await ask(store, **changes)
    assert isinstance(result, Claim)
    return result


async def record(store: IdempotencyStore, **changes: Any) -> Record:
    """Return what stands for the acme's key, which must not be free."""
    result = await ask(store, **changes)
    assert isinstance(result, Record)
    return result


async def claim_of_the_dead(store: IdempotencyStore, **changes: Any) -> Claim:
    """Claim the acme's key as soon as the lease of the one who had it is over."""
    async with asyncio.timeout(10):
        while True:
            result = await ask(store, **changes)
            if isinstance(result, Claim):
                return result
            await asyncio.sleep(SOON / 4)


async def expired_record(store: IdempotencyStore, **changes: Any) -> Record:
    """Return what stands for the acme's key as soon as its lease is over."""
    async with asyncio.timeout(10):
        while True:
            found = await record(store, **changes)
            if found.expired_lease:
                return found
            await asyncio.sleep(SOON / 4)
