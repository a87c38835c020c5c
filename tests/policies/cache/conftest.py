"""A platform that counts, a cache in front of it, and the stores a cache may have."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from app.policies.cache.cache import ReadCache
from app.policies.cache.memory import MemoryStore
from app.policies.cache.model import CacheEntry, CacheKey, CacheOutcome, CacheStore, Directives, Windows
from app.policies.cache.valkey import ValkeyStore
from app.storage.valkey import connect
from app.tenants.vault import MasterKey
from tests.support.valkey import ValkeyServer

MASTER_KEY = MasterKey(bytes(range(32)))
WINDOWS = Windows(fresh=60, stale_while_revalidate=30, stale_if_error=300)
LOCAL_BYTES = 1_000_000


class Clock:
    """A clock that stands still until it is moved; it shows seconds."""

    def __init__(self, time: float = 1_800_000_000.0) -> None:
        self.time = time

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        """Move it."""
        self.time += seconds


class Observer:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.outcomes: list[CacheOutcome] = []
        self.failures: list[str] = []

    def looked_up(self, outcome: CacheOutcome) -> None:
        """Remember the outcome of a read."""
        self.outcomes.append(outcome)

    def store_failed(self, action: str) -> None:
        """Remember a failure of the store."""
        self.failures.append(action)


class PlatformDown(Exception):
    """The platform's failure, which a stale answer may stand in for."""


@dataclass
class Platform:
    """CacheEntrys with its current value; `gate` holds answers back that have been computed already."""

    now: Clock
    value: str = "v1"
    windows: Windows = WINDOWS
    found: bool = True
    errors: list[Exception] = field(default_factory=list)
    calls: int = 0
    cancelled: int = 0

    def __post_init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self) -> CacheEntry:
        """Return an answer with the value of when it was asked."""
        self.calls += 1
        answer = make_entry(self.value, self.now(), windows=self.windows, found=self.found)
        error = self.errors.pop(0) if self.errors else None
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if error is not None:
            raise error
        return answer


def make_entry(value: str = "v1", stored_at: float = 0.0, **fields: Any) -> CacheEntry:
    """Return an answer whose body is a value."""
    content = {
        "found": True,
        "body": value.encode(),
        "etag": f'"{value}"',
        "headers": (("Link", '</v1/lists?page=2>; rel="next"'),),
        "windows": WINDOWS,
        "stored_at": stored_at,
    }
    return CacheEntry(**{**content, **fields})


def make_key(key: str = "a", tenant: str = "acme", tags: tuple[str, ...] = ("contacts", "lists")) -> CacheKey:
    """Return a place of a tenant."""
    return CacheKey(tenant, key * 64, tags)


@dataclass
class Replica:
    """One gateway: its cache, what it told its observer, and a platform that it alone uses unless it is replaced."""

    cache: ReadCache
    store: CacheStore
    observer: Observer
    clock: Clock
    platform: Platform

    async def read(self, place: CacheKey | None = None, **directives: Any) -> tuple[str, CacheOutcome]:
        """Read a place; returns the value and how it came."""
        served = await self.cache.read(place or make_key(), self.platform.fetch, Directives(**directives))
        return served.entry.body.decode(), served.outcome

    async def keeps(self, place: CacheKey | None = None) -> bool:
        """Tell whether a valid answer is kept anywhere."""
        return (await self.store.look(place or make_key())).entry is not None

    def reading(self, place: CacheKey | None = None, **directives: Any) -> "asyncio.Task[tuple[str, CacheOutcome]]":
        """Begin to read a place."""
        return asyncio.create_task(self.read(place, **directives))


@asynccontextmanager
async def replica_on(
    store: CacheStore, platform: Platform | None = None, observer: Observer | None = None
) -> AsyncIterator[Replica]:
    """Run a cache over a store."""
    platform, observer = platform or Platform(Clock()), observer or Observer()
    cache = ReadCache(
        store,
        observer=observer,
        excuses=lambda error: isinstance(error, PlatformDown),
        now=platform.now,
    )
    async with cache.running():
        yield Replica(cache, store, observer, platform.now, platform)


@asynccontextmanager
async def replica_of(
    server: ValkeyServer | str, platform: Platform | None = None, **options: Any
) -> AsyncIterator[Replica]:
    """Run a cache over a Valkey server, or one at a URL; the options are those of the store."""
    url = server if isinstance(server, str) else server.url
    client, observer = connect(url, timeout=5.0), Observer()
    settings = {"tenant_bytes": LOCAL_BYTES, "timeout": 2.0, **options}
    store = ValkeyStore(client, settings.pop("master_key", MASTER_KEY), failed=observer.store_failed, **settings)
    async with client, replica_on(store, platform, observer) as replica:
        yield replica


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what happens in another process, or in the course of time."""
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never happened")


def scripts_run(client: redis.Redis) -> int:
    """Return how many scripts the server has run."""
    return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])


@pytest.fixture(params=["memory", "valkey"])
async def replica(request: pytest.FixtureRequest) -> AsyncIterator[Replica]:
    """A cache over each kind of store."""
    if request.param == "memory":
        async with replica_on(MemoryStore(LOCAL_BYTES)) as made:
            yield made
        return
    server = request.getfixturevalue("valkey")
    async with replica_of(server) as made:
        yield made


Replicas = tuple[Replica, Replica]


@pytest.fixture
async def replicas(valkey: ValkeyServer) -> AsyncIterator[Replicas]:
    """Two replicas in front of one platform."""
    platform = Platform(Clock())
    async with replica_of(valkey, platform) as one, replica_of(valkey, platform) as other:
        yield one, other
