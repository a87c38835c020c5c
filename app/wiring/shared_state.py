"""State in a store that workers and replicas share, as the settings say."""

from functools import partial

from redis.asyncio import Redis

from app.policies.cache.valkey import ValkeyStore
from app.policies.limits.campaigns import CampaignQuota
from app.policies.limits.valkey import ValkeyRateLimiter, ValkeyWindow
from app.settings import Settings
from app.storage.valkey import UNAVAILABLE, connect, warn_if_unbounded
from app.telemetry.metrics import Metrics
from app.telemetry.observer import CacheMetrics
from app.tenants.master_keys import MasterKey
from app.wiring.state import State, build_cache


def build_shared_state(settings: Settings, master_key: MasterKey, metrics: Metrics) -> State:
    """Build the state in the store that the settings name."""
    url = settings.state_url.get_secret_value()
    client = connect(url, timeout=settings.state_timeout)
    answers = ValkeyStore(
        client,
        master_key,
        failed=CacheMetrics(metrics).store_failed,
        tenant_bytes=settings.cache_tenant_bytes,
        timeout=settings.state_timeout,
    )
    return State(
        build_cache(answers, metrics),
        answers,
        ValkeyRateLimiter(client, lambda: metrics.state_failed("limits"), timeout=settings.state_timeout),
        CampaignQuota(ValkeyWindow(client, lambda: metrics.state_failed("campaigns"), timeout=settings.state_timeout)),
        client,
        partial(_reachable, client),
        partial(warn_if_unbounded, client),
    )


async def _reachable(client: Redis) -> bool:
    try:
        await client.ping()
    except UNAVAILABLE:
        return False
    return True
