"""State, in the process or in a shared store, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from app.gateway.judgement import excused_by_stale
from app.master_keys import MasterKey
from app.policies.cache.cache import ReadCache
from app.policies.cache.memory import MemoryStore
from app.policies.cache.protocol import Cache
from app.policies.cache.store import CacheStore
from app.policies.cache.valkey import ValkeyStore
from app.policies.idempotency.memory import MemoryIdempotencyStore
from app.policies.idempotency.models import StoreUnavailable
from app.policies.idempotency.store import IdempotencyStore
from app.policies.idempotency.valkey import ValkeyIdempotencyStore
from app.policies.limits.campaigns import CampaignQuota
from app.policies.limits.memory import MemoryRateLimiter, MemoryWindow
from app.policies.limits.model import RateLimiter
from app.policies.limits.shared import SharedRateLimiter, SharedWindow, storage_of
from app.policies.locks import LocalLocks, NamedLocks, ValkeyLocks
from app.settings import Settings
from app.state.valkey import connect
from app.telemetry.metrics import Metrics
from app.telemetry.observer import CacheMetrics


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered between requests.

    Args:
        cache: answers.
        answers: the store that keeps them.
        limiter: requests of the last minute.
        campaigns: campaigns of the last hour.
        idempotency: idempotency keys of the last day.
        locks: what must not overlap.
        client: the connections to the shared store, if there is one.
    """

    cache: Cache
    answers: CacheStore
    limiter: RateLimiter
    campaigns: CampaignQuota
    idempotency: IdempotencyStore
    locks: NamedLocks
    client: Redis | None = None

    async def check(self) -> bool:
        """Tell whether the store can be used."""
        try:
            await self.idempotency.check()
        except StoreUnavailable:
            return False
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep what needs it going while the context is open; then close the connections."""
        async with AsyncExitStack() as stack:
            if self.client is not None:
                stack.push_async_callback(self.client.aclose, close_connection_pool=True)
            await stack.enter_async_context(self.idempotency.running())
            await stack.enter_async_context(self.cache.running())
            yield


def build_state(settings: Settings, master_key: MasterKey, metrics: Metrics) -> State:
    """Build the state that the settings ask for."""
    return _shared(settings, master_key, metrics) if settings.shares_state else _local(settings, metrics)


def _local(settings: Settings, metrics: Metrics) -> State:
    answers = MemoryStore(settings.cache_bytes)
    return State(
        _cache(answers, settings, metrics),
        answers,
        MemoryRateLimiter(),
        CampaignQuota(MemoryWindow()),
        MemoryIdempotencyStore(),
        LocalLocks(),
    )


def _shared(settings: Settings, master_key: MasterKey, metrics: Metrics) -> State:
    url = settings.state_url.get_secret_value()
    client = connect(url, timeout=settings.state_timeout)
    storage = storage_of(url, client)
    answers = ValkeyStore(client, master_key, local_bytes=settings.cache_bytes)
    return State(
        _cache(answers, settings, metrics),
        answers,
        SharedRateLimiter(storage, lambda: metrics.state_failed("limits")),
        CampaignQuota(SharedWindow(storage, lambda: metrics.state_failed("campaigns"))),
        ValkeyIdempotencyStore(client, master_key),
        ValkeyLocks(client),
        client,
    )


def _cache(store: CacheStore, settings: Settings, metrics: Metrics) -> Cache:
    return ReadCache(
        store,
        observer=CacheMetrics(metrics),
        excuses=excused_by_stale,
        fetch_seconds=settings.interactive_timeout,
    )
