"""Stores of writes over each kind of database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from app.storage.database.database import Database
from app.storage.writes.store import WriteStore
from app.tenants.vault import MasterKey
from tests.support.attempts import Clock

MASTER_KEY = MasterKey(bytes(range(32)))


@dataclass(frozen=True, slots=True)
class Stores:
    """Two stores of the same writes, as two replicas have them."""

    one: WriteStore
    other: WriteStore


@pytest.fixture
def clock() -> Clock:
    """The time by which the journal goes."""
    return Clock()


@asynccontextmanager
async def opened_store(url: str, **options: Any) -> AsyncIterator[WriteStore]:
    """Open a store as a replica has it, on a machine that may be busy."""
    database = Database(url, timeout=30)
    async with database.running():
        store = WriteStore(database, MASTER_KEY, **{"lease": 60.0, **options})
        async with store.running():
            yield store


@pytest.fixture
async def stores(database_url: str, clock: Clock) -> AsyncIterator[Stores]:
    """Two empty stores, one pair of each kind in turn."""
    async with AsyncExitStack() as stack:
        pair = [await stack.enter_async_context(opened_store(database_url, now=clock)) for _ in range(2)]
        yield Stores(*pair)


@pytest.fixture
def store(stores: Stores) -> WriteStore:
    """An empty store, one of each kind in turn."""
    return stores.one
