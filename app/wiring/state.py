"""State, in the process or in a shared store, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from app.gateway.failures import excused_by_stale
from app.policies.cache.cache import ReadCache
from app.policies.cache.memory import MemoryStore
from app.policies.cache.model import Cache, CacheStore
from app.policies.rate_limits import CampaignQuota, MemoryRateLimiter, MemoryWindow, RateLimiter
from app.settings import Settings
from app.telemetry.metrics import Metrics
from app.telemetry.observer import CacheMetrics
from app.tenants.vault import MasterKey

if TYPE_CHECKING:
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered between requests."""

    cache: Cache
    answers: CacheStore
    limiter: RateLimiter
    campaigns: CampaignQuota
    client: Redis | None = None
    reachable: Callable[[], Awaitable[bool]] | None = None
    started: Callable[[], Awaitable[None]] | None = None

    async def check(self) -> bool:
        """Tell whether the store can be used."""
        return self.reachable is None or await self.reachable()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep what needs it going while the context is open; then close the connections."""
        async with AsyncExitStack() as stack:
            if self.client is not None:
                stack.push_async_callback(self.client.aclose, close_connection_pool=True)
            if self.started is not None:
                await self.started()
            await stack.enter_async_context(self.cache.running())
            yield


def build_state(settings: Settings, master_key: MasterKey, metrics: Metrics) -> State:
    if not settings.shares_state:
        return _local(settings, metrics)
    return _shared(settings, master_key, metrics)


def _local(settings: Settings, metrics: Metrics) -> State:
    answers = MemoryStore(settings.cache_bytes)
    return State(_cache(answers, metrics), answers, MemoryRateLimiter(), CampaignQuota(MemoryWindow()))


def _shared(settings: Settings, master_key: MasterKey, metrics: Metrics) -> State:
    # Imported here, since the client takes 9 MB and 0.1 s to load.
    from app.policies.cache.valkey import ValkeyStore  # noqa: PLC0415
    from app.policies.rate_limits_in_valkey import ValkeyRateLimiter, ValkeyWindow  # noqa: PLC0415
    from app.storage.valkey import answers, connect, warn_if_unbounded  # noqa: PLC0415

    url = settings.state_url.get_secret_value()
    client = connect(url, timeout=settings.state_timeout)
    stored = ValkeyStore(
        client,
        master_key,
        failed=CacheMetrics(metrics).store_failed,
        tenant_bytes=settings.cache_tenant_bytes,
        timeout=settings.state_timeout,
    )
    return State(
        _cache(stored, metrics),
        stored,
        ValkeyRateLimiter(client, lambda: metrics.state_failed("limits"), timeout=settings.state_timeout),
        CampaignQuota(ValkeyWindow(client, lambda: metrics.state_failed("campaigns"), timeout=settings.state_timeout)),
        client,
        partial(answers, client),
        partial(warn_if_unbounded, client),
    )


def _cache(store: CacheStore, metrics: Metrics) -> Cache:
    return ReadCache(store, observer=CacheMetrics(metrics), excuses=excused_by_stale)
